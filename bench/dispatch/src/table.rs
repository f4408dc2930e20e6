//! Medians, side by side.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Default)]
pub struct Table {
    names: Vec<&'static str>,
    values: BTreeMap<(&'static str, bool), Vec<f64>>,
}

impl Table {
    pub fn add(&mut self, name: &'static str, dispatched: bool, value: f64) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
        self.values.entry((name, dispatched)).or_default().push(value);
    }

    fn median(&self, name: &'static str, dispatched: bool) -> f64 {
        let mut values = self.values.get(&(name, dispatched)).cloned().unwrap_or_default();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| figure | PostgreSQL alone | dispatched through Redis |\n|---|---|---|"
        )?;
        for name in &self.names {
            let (alone, dispatched) = (self.median(name, false), self.median(name, true));
            writeln!(f, "| {name} | {alone:.1} | {dispatched:.1} |")?;
        }
        Ok(())
    }
}
