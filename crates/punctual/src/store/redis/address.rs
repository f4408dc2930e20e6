//! Where a Redis server is and who asks it, as a URL says:
//! `redis://user:password@host:6379,other:6379/0?namespace=punctual`.

use std::fmt;

use percent_encoding::percent_decode_str;
use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    RedisResult, TlsCertificates,
};
use secrecy::{ExposeSecret, SecretString};

use crate::error::Error;
use crate::limits;
use crate::store::checks;

/// The port that Redis has unless told otherwise.
const PORT: u16 = 6379;
/// The namespace of a URL that names none.
const NAMESPACE: &str = "punctual";
/// What is told of every URL that is refused.
const FORM: &str = "write redis://host, rediss://user:password@host:6379/0?namespace=name, or several hosts of one \
                    cluster with commas between them";

/// What a URL says. It shows no password.
#[derive(Clone)]
pub(super) struct Address {
    /// One server, or several nodes of one cluster.
    pub(super) nodes: Vec<Node>,
    pub(super) namespace: String,
    tls: bool,
    user: Option<String>,
    password: Option<SecretString>,
    database: i64,
    /// The certificates, in PEM, of those who may vouch for the server; unset, the machine's own.
    authorities: Option<Vec<u8>>,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Node {
    /// Reads `host`, `host:port`, `[address]:port`, or what a cluster's node says of another.
    pub(super) fn read(text: &str) -> Option<Node> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                (
                    host,
                    if rest.is_empty() {
                        None
                    } else {
                        Some(rest.strip_prefix(':')?)
                    },
                )
            }
            // An IPv6 address, as nodes tell it, has colons of its own.
            None => match text.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        Some(Node {
            host: host.to_owned(),
            port: port.map_or(Some(PORT), |port| port.parse().ok())?,
        })
    }
}

impl Address {
    /// Reads a URL, and the file of certificates that it names.
    pub(super) fn read(url: &str) -> Result<Address, Error> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| refuse("has no host"))?;
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        checks::authority("Redis", url)?;
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        // A password may hold an @ that its user forgot to encode; a host never does.
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(credentials), hosts),
            None => (None, authority),
        };
        let (user, password) = credentials.map_or(Ok((None, None)), read_credentials)?;
        let mut address = Address {
            nodes: read_nodes(hosts)?,
            namespace: NAMESPACE.to_owned(),
            tls: scheme == "rediss",
            user,
            password,
            database: read_database(database)?,
            authorities: None,
        };
        let parameters = parameters.split('&').filter(|parameter| !parameter.is_empty());
        for parameter in parameters {
            address.set(parameter)?;
        }
        Ok(address)
    }

    fn set(&mut self, parameter: &str) -> Result<(), Error> {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value =
            decode(value).ok_or_else(|| refuse(&format!("has a parameter {name} that is no text")))?;
        match name {
            "namespace" => self.namespace = read_namespace(value)?,
            "ca" if self.tls => {
                let file = std::fs::read(&value).map_err(|error| {
                    Error::unavailable(format!("the certificates at {value:?} cannot be read: {error}"))
                })?;
                self.authorities = Some(file);
            }
            "ca" => return Err(refuse("names certificates (ca), which only rediss:// uses")),
            _ => {
                return Err(refuse(&format!(
                    "has the parameter {name:?}, which is not known; there are namespace and ca"
                )));
            }
        }
        Ok(())
    }

    /// What a connection to this node needs.
    pub(super) fn client(&self, node: &Node) -> RedisResult<Client> {
        let mut who = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_lib_name("punctual", env!("CARGO_PKG_VERSION"))
            .set_db(self.database);
        if let Some(user) = &self.user {
            who = who.set_username(user);
        }
        if let Some(password) = &self.password {
            who = who.set_password(password.expose_secret());
        }
        let (host, port) = (node.host.clone(), node.port);
        let at = match self.tls {
            true => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            },
            false => ConnectionAddr::Tcp(host, port),
        };
        let info: ConnectionInfo = at.into_connection_info()?.set_redis_settings(who);
        match &self.authorities {
            None => Client::open(info),
            Some(authorities) => Client::build_with_tls(
                info,
                TlsCertificates {
                    client_tls: None,
                    root_cert: Some(authorities.clone()),
                },
            ),
        }
    }
}

/// Where, and nothing that is secret.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<String> = self.nodes.iter().map(Node::to_string).collect();
        f.write_str(&nodes.join(","))
    }
}

fn refuse(why: &str) -> Error {
    Error::invalid(format!("the URL of Redis {why}; {FORM}"))
}

fn read_nodes(hosts: &str) -> Result<Vec<Node>, Error> {
    let nodes = hosts.split(',').map(|host| {
        let node = Node::read(host).filter(|node| !node.host.is_empty());
        node.ok_or_else(|| {
            refuse(&format!(
                "names {host:?}, which is no host, or has a port that is no number"
            ))
        })
    });
    let nodes: Vec<Node> = nodes.collect::<Result<_, _>>()?;
    if nodes.len() > limits::CLUSTER_NODES {
        return Err(refuse(&format!(
            "names more than {} hosts",
            limits::CLUSTER_NODES
        )));
    }
    Ok(nodes)
}

type Credentials = (Option<String>, Option<SecretString>);

fn read_credentials(text: &str) -> Result<Credentials, Error> {
    let broken = || refuse("has a user or a password that is no text; write %25 for a %");
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (text, None),
    };
    let user = decode(user).ok_or_else(broken)?;
    let password = password
        .map(|password| decode(password).ok_or_else(broken))
        .transpose()?;
    Ok((
        (!user.is_empty()).then_some(user),
        password.map(SecretString::from),
    ))
}

fn read_database(text: &str) -> Result<i64, Error> {
    if text.is_empty() {
        return Ok(0);
    }
    let number = text.parse::<u16>().map(i64::from);
    number.map_err(|_| {
        refuse(&format!(
            "names the database {text:?}, and databases of Redis have numbers"
        ))
    })
}

fn read_namespace(name: String) -> Result<String, Error> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    if name.is_empty() || name.len() > limits::NAMESPACE_BYTES || !name.chars().all(is_plain) {
        return Err(refuse(&format!(
            "names the namespace {name:?}, which must have 1 to {} letters of a to z, A to Z, digits, - _ and .",
            limits::NAMESPACE_BYTES
        )));
    }
    Ok(name)
}

/// A text without its percent signs (RFC 3986); nothing if that is no text.
fn decode(text: &str) -> Option<String> {
    Some(percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Address {
        Address::read(url).expect("the URL is one of Redis")
    }

    #[test]
    fn a_url_says_where_and_who() {
        let address = read("redis://host");
        assert_eq!(address.to_string(), "host:6379");
        assert_eq!((address.tls, address.database), (false, 0));
        assert_eq!(address.namespace, "punctual");
        assert!(address.user.is_none() && address.password.is_none());

        let address = read("rediss://ann:p%40ss:w%25rd@a.example:1,[::1]:2,c/7?namespace=team-1");
        assert_eq!(address.to_string(), "a.example:1,[::1]:2,c:6379");
        assert_eq!((address.tls, address.database), (true, 7));
        assert_eq!(address.namespace, "team-1");
        assert_eq!(address.user.as_deref(), Some("ann"));
        let password = address.password.as_ref().map(ExposeSecret::expose_secret);
        assert_eq!(password, Some("p@ss:w%rd"));

        let address = read("redis://:secret@host/");
        assert!(address.user.is_none() && address.password.is_some());
    }

    #[test]
    fn a_url_that_is_refused_says_why_and_tells_no_password() {
        for (url, why) in [
            ("redis:host", "has no host"),
            ("redis://", "is no host"),
            ("redis://u:hunter2@", "is no host"),
            ("redis://u:hunter2@host:port", "\"host:port\""),
            ("redis://u:hunter2@a,,b", "is no host"),
            ("redis://u:hunter2@host/jobs", "\"jobs\""),
            ("redis://u:hunter2@host/0/1", "\"0/1\""),
            ("redis://u:hunter2%ff@host", "%25"),
            ("redis://u:hunter2#x@host", "%23"),
            ("redis://u:hunter2/x@host", "%2F"),
            ("redis://u:hunter2?x@host", "%3F"),
            ("redis://u:hunter2@host?namespace=", "namespace \"\""),
            ("redis://u:hunter2@host?namespace={a}", "namespace"),
            ("redis://u:hunter2@host?db=1", "\"db\""),
            ("redis://u:hunter2@host?ca=/tmp/x", "rediss://"),
        ] {
            let error = Address::read(url).err().expect("it is refused").to_string();
            assert!(error.contains(why), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
