//! Values one behind the other, as the strings of a row hold them: numbers in big-endian order, texts with their length
//! before them.

use bytes::Bytes;

use super::order::{UNSET, instant, read_instant};
use crate::error::Error;
use crate::time::Timestamp;

/// The length of a text that is not set.
const NO_LENGTH: u32 = u32::MAX;

/// Writes values.
#[derive(Default)]
pub(super) struct Packing(pub(super) Vec<u8>);

impl Packing {
    pub(super) fn byte(&mut self, byte: u8) -> &mut Packing {
        self.0.push(byte);
        self
    }

    pub(super) fn u32(&mut self, number: u32) -> &mut Packing {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn u64(&mut self, number: u64) -> &mut Packing {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn instant(&mut self, at: Timestamp) -> &mut Packing {
        self.bytes(&instant(at))
    }

    pub(super) fn instant_if_any(&mut self, at: Option<Timestamp>) -> &mut Packing {
        self.bytes(&at.map_or(UNSET, instant))
    }

    /// As they are, without their length.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Packing {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn text(&mut self, text: &[u8]) -> &mut Packing {
        self.u32(u32::try_from(text.len()).unwrap_or(NO_LENGTH))
            .bytes(text)
    }

    pub(super) fn text_if_any<T: AsRef<[u8]>>(&mut self, text: Option<T>) -> &mut Packing {
        match text {
            Some(text) => self.text(text.as_ref()),
            None => self.u32(NO_LENGTH),
        }
    }
}

/// Reads values.
pub(super) struct Unpacking<'a>(pub(super) &'a [u8]);

impl<'a> Unpacking<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Error> {
        Ok(self.byte()? == b'1')
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn instant(&mut self) -> Result<Timestamp, Error> {
        self.array().map(read_instant)
    }

    pub(super) fn instant_if_any(&mut self) -> Result<Option<Timestamp>, Error> {
        let bytes = self.array()?;
        Ok((bytes != UNSET).then(|| read_instant(bytes)))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or_else(too_short)?;
        self.0 = rest;
        Ok(*array)
    }

    pub(super) fn bytes_if_any(&mut self) -> Result<Option<&'a [u8]>, Error> {
        let length = self.u32()?;
        if length == NO_LENGTH {
            return Ok(None);
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(too_short)?;
        self.0 = rest;
        Ok(Some(bytes))
    }

    pub(super) fn copied_if_any(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(self.bytes_if_any()?.map(Bytes::copy_from_slice))
    }

    pub(super) fn text_if_any(&mut self) -> Result<Option<&'a str>, Error> {
        let text = self.bytes_if_any()?.map(str::from_utf8).transpose();
        text.map_err(|error| Error::internal("a row holds a text that is no UTF-8").caused_by(error))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Error> {
        self.text_if_any()?
            .ok_or_else(|| Error::internal("a row lacks a text that every row has"))
    }
}

fn too_short() -> Error {
    Error::internal("a row is shorter than it says")
}
