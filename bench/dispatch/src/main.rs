//! PostgreSQL alone, and dispatched through Redis, in turns: what reaches PostgreSQL, and how fast jobs go.

mod figures;
mod fleet;
mod table;

use std::time::Duration;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What is measured, and on what.
#[derive(Clone)]
pub struct Plan {
    pub postgres: String,
    pub redis: String,
    pub length: Duration,
    pub rounds: usize,
    pub jobs: usize,
}

impl Plan {
    fn read() -> Result<Plan, Error> {
        let mut plan = Plan {
            postgres: String::new(),
            redis: String::new(),
            length: Duration::from_secs(10),
            rounds: 3,
            jobs: 20_000,
        };
        let mut words = std::env::args().skip(1);
        while let Some(flag) = words.next() {
            let value = words.next().ok_or("each flag has a value")?;
            match flag.as_str() {
                "--postgres" => plan.postgres = value,
                "--redis" => plan.redis = value,
                "--seconds" => plan.length = Duration::from_secs(value.parse()?),
                "--rounds" => plan.rounds = value.parse()?,
                "--jobs" => plan.jobs = value.parse()?,
                _ => return Err(format!("there is no flag {flag}").into()),
            }
        }
        Ok(plan)
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let plan = Plan::read()?;
    let mut table = table::Table::default();
    for round in 0..plan.rounds {
        for dispatched in [round % 2 == 1, round % 2 == 0] {
            for (name, value) in figures::all(&plan, dispatched).await? {
                table.add(name, dispatched, value);
            }
        }
    }
    print!("{table}");
    Ok(())
}
