//! Many schedules whose time comes at once.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};

use super::firing::{begin, nothing_is_live};
use super::nginx::Called;
use super::server::{Place, grown, until};
use super::stores::{Sort, alone, jobs, on_each_store, tell};
use crate::house::punctual;

on_each_store!(many_schedules_that_are_due_in_one_second_are_all_fired_and_each_once);

/// Setting them takes so long at the most, on a machine that is not very slow; on one that is, the last are due later.
const SETTING: SignedDuration = SignedDuration::from_secs(5);
const SETTING_EACH: SignedDuration = SignedDuration::from_millis(5);

fn many_schedules_that_are_due_in_one_second_are_all_fired_and_each_once(sort: Sort) {
    let _alone = alone();
    let (Some(store), Some(called)) = (sort.empty(), Called::open()) else {
        return;
    };
    let (place, many) = (Place::new(), jobs());
    let servers = [0, 1].map(|number| begin(&place, &store, number, "30s"));
    let each = i32::try_from(many).expect("there are not so many");
    let start = (Timestamp::now() + SETTING + SETTING_EACH * each).as_second();
    let start = Timestamp::from_second(start).expect("it is before the year 9999");
    let mut file = String::new();
    for number in 0..many {
        let url = called.url(&format!("/{number}"));
        write!(
            file,
            "[schedule.s{number}]\nevery = \"1s\"\nstart = \"{start}\"\nmax_runs = 1\n\
             job = {{ kind = \"http\", payload = {{ method = \"POST\", url = \"{url}\" }} }}\n"
        )
        .expect("a string takes all");
    }
    std::fs::write(place.path("schedules.toml"), file).expect("the folder is there");
    let set = punctual(&place.path("."))
        .env("PUNCTUAL_SERVER", format!("http://{}", servers[0].address()))
        .args(["schedule", "set", "-f", "schedules.toml"])
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&set.stdout).into_owned() + &String::from_utf8_lossy(&set.stderr);
    assert!(said.ends_with(&format!("\n{many} created\n")), "{said}");

    grown("all are fired", many, || called.calls().lines().count());
    let address = servers[0].address();
    until("every job has ended", || nothing_is_live(&address).then_some(()));
    let counted = called.counted();
    assert_eq!(counted.len(), many, "all are fired");
    assert!(counted.values().all(|calls| *calls == 1), "{counted:?}");
    tell(
        sort.name(),
        &format!("{many} schedules due in one second: each was fired once"),
    );
}
