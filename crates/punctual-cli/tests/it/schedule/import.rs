//! Schedules of the entries of a crontab.

use crate::house::House;

const CRONTAB: &str = "\
MAILTO=me@example.com
CRON_TZ=Europe/Ljubljana
REPORTS=/srv/reports
# Nightly report
30 2 * * * cd $REPORTS && ./report.sh
@reboot /usr/bin/prepare
*/5 * * * * curl -fsS https://example.com/ping
";

#[test]
fn a_crontab_becomes_schedules_once_and_what_cannot_is_told_by_line() {
    let house = House::open();
    house.put("crontab.txt", CRONTAB);
    let import = ["import", "--crontab", "crontab.txt", "--home", "/home/me"];
    let dry = house.schedule(&[&import[..], &["--dry-run"]].concat());
    assert_eq!(dry.code, 0, "{dry:?}");
    assert_eq!(house.schedule_names(), [""; 0]);
    let imported = house.schedule(&import);
    assert_eq!(imported, dry);
    assert!(
        imported
            .stdout
            .contains("+ nightly-report: every day at 02:30, Europe/Ljubljana\n"),
        "{imported:?}"
    );
    assert!(imported.stdout.ends_with("2 created\n"), "{imported:?}");
    assert!(
        imported
            .stderr
            .contains("punctual: crontab.txt:1: MAILTO is not taken over"),
        "{imported:?}"
    );
    assert!(
        imported.stderr.contains("punctual: crontab.txt:6: "),
        "{imported:?}"
    );

    let report = house.schedule_json(&["show", "nightly-report"]);
    assert_eq!(report["zone"], "Europe/Ljubljana");
    assert_eq!(report["job"]["payload"]["shell"], "cd $REPORTS && ./report.sh");
    assert_eq!(report["job"]["payload"]["env"]["REPORTS"], "/srv/reports");
    assert_eq!(report["job"]["payload"]["dir"], "/home/me");
    assert_eq!(house.schedule_prints(&import), "2 unchanged\n");
}

#[test]
fn an_entry_of_a_crontab_keeps_its_name_when_others_of_its_program_come_and_go() {
    let house = House::open();
    let import = || {
        let arguments = ["import", "--crontab", "crontab.txt", "--prefix", "host1."];
        house.schedule_prints(&arguments)
    };
    house.put("crontab.txt", "@daily backup a.db\n@hourly backup b.db\n");
    assert!(import().ends_with("2 created\n"));
    let both = house.schedule_names();
    house.put("crontab.txt", "@hourly backup b.db\n");
    assert_eq!(import(), "1 unchanged\n");
    house.put("crontab.txt", "@weekly backup c.db\n@hourly backup b.db\n");
    let told = import();
    assert!(told.ends_with("1 created, 1 unchanged\n"), "{told}");
    let names = house.schedule_names();
    assert!(both.iter().all(|name| names.contains(name)), "{names:?}");
}

#[test]
fn a_crontab_is_read_from_the_input_in_the_zone_and_under_the_names_that_are_told() {
    let house = House::open();
    house.put(
        "crontab.txt",
        "0 4 * * * root /bin/true\n0 5 * * * me /bin/true\n",
    );
    let script =
        "$PUNCTUAL schedule import --crontab - --system me --zone Asia/Tokyo --prefix host1. < crontab.txt";
    let told = std::process::Command::new("sh")
        .args(["-c", script])
        .env("PUNCTUAL", env!("CARGO_BIN_EXE_punctual"))
        .env("PUNCTUAL_SERVER", &house.address)
        .current_dir(house.folder.path())
        .output()
        .expect("sh is there");
    let told = crate::house::Ended::of(told);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.stderr.contains("the input:1: it is run as root"), "{told:?}");
    assert_eq!(house.schedule_names(), ["host1.true"]);
    assert_eq!(house.schedule_json(&["show", "host1.true"])["zone"], "Asia/Tokyo");
}
