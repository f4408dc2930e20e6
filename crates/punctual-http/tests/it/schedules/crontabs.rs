//! Crontabs, as cronie reads them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use punctual::schedule::ScheduleName;
use punctual::target::command::CommandCall;
use punctual::{days, minutes};
use punctual_http::schedules::crontab::{Crontab, Reading};
use serde_json::{Value, json};

fn reading() -> Reading {
    Reading {
        zone: "Europe/Ljubljana".parse().expect("it is a zone"),
        home: Some("/home/ana".to_owned()),
        ..Reading::default()
    }
}

fn read(text: &str) -> Crontab {
    Crontab::read(text, &reading())
}

/// The schedules by name, as they are sent.
fn schedules(crontab: &Crontab) -> Vec<(&str, Value)> {
    let of = |written: &punctual_http::schedules::Written| {
        serde_json::to_value(&written.schedule).expect("it has a JSON form")
    };
    crontab
        .schedules
        .iter()
        .map(|written| (written.name.as_str(), of(written)))
        .collect()
}

/// The payload of the only entry of a crontab, which the target takes as it is.
fn payload(text: &str) -> Value {
    let crontab = read(text);
    let [written] = crontab.schedules.as_slice() else {
        panic!("{crontab:?} has not one entry");
    };
    let payload = &written.plan.job.payload;
    CommandCall::parse(payload).expect("the target takes it");
    serde_json::from_slice(payload).expect("it is JSON")
}

fn pattern(text: &str) -> String {
    let crontab = read(text);
    crontab.schedules[0]
        .schedule
        .cron
        .clone()
        .expect("it has a pattern")
}

fn notes(crontab: &Crontab) -> Vec<(usize, &str)> {
    let notes = crontab.notes.iter();
    notes.map(|note| (note.line, note.story.as_str())).collect()
}

fn names(text: &str) -> Vec<String> {
    let crontab = read(text);
    crontab
        .schedules
        .into_iter()
        .map(|written| written.name)
        .collect()
}

#[test]
fn a_crontab_becomes_schedules_of_commands_with_names_zone_and_environment() {
    let crontab = read(
        "\
# Edit this file to introduce tasks to be run by cron.
#
# m h  dom mon dow   command
SHELL=/bin/bash
PATH=/usr/local/bin:/usr/bin:/bin
GREETING = \"hello  \"

# Nightly backup
30 2 * * *   /usr/local/bin/backup --full > /dev/null 2>&1
CRON_TZ=America/New_York
RANDOM_DELAY=45
@daily certbot renew -q
",
    );
    assert_eq!(notes(&crontab), []);
    let env = json!({"SHELL": "/bin/bash", "PATH": "/usr/local/bin:/usr/bin:/bin", "GREETING": "hello  "});
    let job = |script: &str| {
        json!({
            "kind": "command", "max_attempts": 1, "timeout": "1d",
            "payload": {"program": "/bin/bash", "args": ["-c", script], "env": env, "dir": "/home/ana"}
        })
    };
    assert_eq!(
        schedules(&crontab),
        [
            (
                "nightly-backup",
                json!({
                    "cron": "30 2 * * *", "zone": "Europe/Ljubljana",
                    "job": job("/usr/local/bin/backup --full > /dev/null 2>&1")
                })
            ),
            (
                "certbot-renew",
                json!({
                    "cron": "@daily", "zone": "America/New_York", "spread": "45m", "job": job("certbot renew -q")
                })
            ),
        ]
    );
    assert_eq!(crontab.schedules[0].line, 9);
    assert_eq!(crontab.schedules[1].plan.spread, Some(minutes(45)));
    assert_eq!(crontab.schedules[1].plan.job.options.timeout, Some(days(1)));
}

#[test]
fn a_plain_command_is_a_script_for_sh() {
    assert_eq!(
        payload("* * * * * echo 50\\% > \"$HOME/x\"; true"),
        json!({"shell": "echo 50% > \"$HOME/x\"; true", "dir": "/home/ana"})
    );
    assert_eq!(
        payload("HOME=/srv\nSHELL=/bin/sh\n-@hourly -n true")["dir"],
        "/srv"
    );
    assert_eq!(payload("-*/5 * * * * -n true")["shell"], "true");
}

#[test]
fn what_follows_a_percent_sign_is_the_input() {
    for (command, script, input) in [
        (
            "mail -s hi ana%Hello,%%bye",
            "mail -s hi ana",
            Some("Hello,\n\nbye\n"),
        ),
        ("cat%one\\%two%", "cat", Some("one%two\n")),
        ("cat%", "cat", None),
        ("date +\\%F \\x \\\\%in", "date +%F \\x \\\\", Some("in\n")),
        ("date +\\%F", "date +%F", None),
    ] {
        let payload = payload(&format!("0 0 * * * {command}"));
        assert_eq!(payload["shell"], script);
        assert_eq!(payload["stdin"].as_str(), input);
    }
}

#[test]
fn variables_are_read_as_cron_reads_them() {
    for (line, name, value) in [
        ("A=b", "A", "b"),
        ("  A =  b c  ", "A", "b c"),
        ("A=' b '", "A", " b "),
        ("\"A B\"=b", "A B", "b"),
        ("A=", "A", ""),
        ("A=\"\"", "A", ""),
        ("A=it's", "A", "it's"),
        ("A=b # c", "A", "b # c"),
        ("A=$HOME/x", "A", "$HOME/x"),
    ] {
        let payload = payload(&format!("{line}\n* * * * * true"));
        assert_eq!(payload["env"], json!({name: value}), "{line}");
    }
    for line in ["A=\"b\" c", "A='b", "A b", "'A=b'=c"] {
        let crontab = read(line);
        assert_eq!(crontab.notes.len(), 1, "{line}");
        assert!(
            crontab.notes[0].story.starts_with("it sets no variable"),
            "{line}"
        );
    }
    assert_eq!(
        payload("* * * * * true\nA=b").get("env"),
        None,
        "what stands below holds for what follows alone"
    );
}

#[test]
fn fields_that_cron_alone_understands_are_said_in_other_words() {
    for (fields, cron) in [
        ("*/60 */24 * */13 *", "0 0 * 1 *"),
        ("0-30/60 0 * * 5-0", "0 0 * * 5-7"),
        ("0\t0  1,15 * mon-fri", "0 0 1,15 * mon-fri"),
        ("0 0 */2 * sun", "0 0 */2 * sun"),
    ] {
        assert_eq!(pattern(&format!("{fields} true")), cron);
    }
}

#[test]
fn what_cron_chooses_by_chance_is_chosen_once_and_for_all() {
    let text = "~ 2~4 * * * backup\n0~0 22~ * * * backup\n";
    let crontab = read(text);
    let chosen = |n: usize| {
        crontab.schedules[n]
            .schedule
            .cron
            .clone()
            .expect("it has a pattern")
    };
    let first = chosen(0);
    let fields: Vec<u32> = first
        .split(' ')
        .take(2)
        .map(|field| field.parse().expect("it is a number"))
        .collect();
    assert!(fields[0] < 60 && (2..=4).contains(&fields[1]), "{first}");
    assert!(
        ["0 22 * * *", "0 23 * * *"].contains(&chosen(1).as_str()),
        "{}",
        chosen(1)
    );
    let told = format!(
        "where cron chooses by chance, this is chosen once and for all: {} for ~, {} for 2~4",
        fields[0], fields[1]
    );
    assert_eq!(notes(&crontab)[0], (1, told.as_str()));
    let again = read(text);
    assert_eq!(
        again.schedules[0].schedule.cron,
        crontab.schedules[0].schedule.cron
    );
}

#[test]
fn variables_that_mean_nothing_here_are_told_with_their_line() {
    let crontab = read(
        "\
MAILTO=\"\"
MAILTO=ana@example.com
RANDOM_DELAY=soon
LOGNAME=bob
XDG_SESSION_CLASS=background
PUNCTUAL_RUN=1
@hourly kept
",
    );
    assert_eq!(
        notes(&crontab),
        [
            (
                2,
                "MAILTO is not taken over: nothing is mailed; what a command puts out is kept with its job"
            ),
            (
                3,
                "RANDOM_DELAY is 0 to 1440 minutes, and is ignored as cron does"
            ),
            (
                4,
                "LOGNAME is not taken over: cron, too, would set it to the user"
            ),
            (
                5,
                "XDG_SESSION_CLASS is not taken over: it tells cron how to log in"
            ),
            (
                6,
                "\"PUNCTUAL_RUN\" is not taken over: no command can have such a variable"
            ),
        ]
    );
    assert_eq!(names_of(&crontab), ["kept"]);
    assert_eq!(payload("LOGNAME=bob\n@hourly kept").get("env"), None);
}

#[test]
fn an_entry_that_cannot_be_taken_over_is_left_out_and_told_with_its_line() {
    let crontab = read(
        "\
@reboot /usr/bin/start-it
0 25 * * * late
30 2 * *
0 22-6 * * * night
0 5~1 * * * wrong
@hourly
@fortnightly never
* * * * * kept
",
    );
    let entry =
        "it sets no variable, and is no entry: five fields, or a name such as @daily, and then a command";
    assert_eq!(
        notes(&crontab),
        [
            (
                1,
                "\"@REBOOT\" is not understood at column 1 of the cron pattern: a schedule knows no reboot; let the machine \
                 start the command, by systemd for example"
            ),
            (
                2,
                "\"25\" is not understood at column 3 of the cron pattern: an hour is 0 to 23"
            ),
            (3, entry),
            (
                4,
                "\"22-6\" is not understood at column 3 of the cron pattern: a range runs from the smaller to the larger \
                 value; write one that goes over the end as two: 22-23,0-6"
            ),
            (
                5,
                "\"5~1\" is not understood at column 3 of the cron pattern: an hour is 0 to 23"
            ),
            (6, entry),
            (
                7,
                "\"@FORTNIGHTLY\" is not understood at column 1 of the cron pattern: the names are @yearly, @annually, \
                 @monthly, @weekly, @daily, @midnight, @hourly"
            ),
        ]
    );
    assert_eq!(names_of(&crontab), ["kept"]);
}

#[test]
fn entries_in_a_zone_that_is_not_known_are_left_out() {
    let crontab = read("CRON_TZ=Mars/Olympus\n@daily lost\nCRON_TZ=UTC\n@daily kept\n");
    let unknown = "its zone is not known: there is no time zone \"Mars/Olympus\"; zones have the names of the IANA database, \
                   such as Europe/Ljubljana or UTC";
    assert_eq!(notes(&crontab), [(1, unknown), (2, unknown)]);
    assert_eq!(names_of(&crontab), ["kept"]);
}

fn names_of(crontab: &Crontab) -> Vec<&str> {
    crontab
        .schedules
        .iter()
        .map(|written| written.name.as_str())
        .collect()
}

#[test]
fn of_the_systems_crontab_the_entries_of_one_user_are_read() {
    let text = "\
# *  *  *  *  * user-name  command to be executed
17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly
@daily www-data /usr/bin/php /srv/cron.php
* * * * * root
";
    let system = |user: &str| {
        let reading = Reading {
            system_user: Some(user.to_owned()),
            ..Reading::default()
        };
        Crontab::read(text, &reading)
    };
    let root = system("root");
    let expected = json!({
        "cron": "17 * * * *",
        "job": {
            "kind": "command", "max_attempts": 1, "timeout": "1d",
            "payload": {"shell": "cd / && run-parts --report /etc/cron.hourly"}
        }
    });
    assert_eq!(schedules(&root), [("run-parts", expected)]);
    assert_eq!(
        notes(&root),
        [
            (
                3,
                "it is run as www-data, and commands run as whoever their runner is; start a runner as www-data, and import \
                 its entries apart"
            ),
            (4, "it has no command"),
        ]
    );
    assert_eq!(names_of(&system("www-data")), ["cron.php"]);
}

#[test]
fn names_come_from_a_comment_right_above_or_from_the_command() {
    for (text, name) in [
        ("# Backup (full), daily!\n@daily x", "backup-full-daily"),
        ("# Backup\n\n@daily x", "x"),
        (
            "# This is the long story of why this has to be run so often\n@daily x",
            "x",
        ),
        ("# 0 0 * * * old\n@daily x", "x"),
        ("# 5 4 1 1 1 old\n@daily x", "x"),
        ("# MAILTO=root\n@daily x", "x"),
        ("#\n@daily x", "x"),
        ("# Übersicht\n@daily x", "x"),
        (
            "@daily cd /srv/app && bin/rails reports:send",
            "rails-reports:send",
        ),
        ("@daily [ -x /usr/sbin/x ] && /usr/sbin/x --all", "x"),
        ("@daily A=1 sudo /usr/bin/python3 -u /srv/a.py", "a.py"),
        (
            "@daily php artisan schedule:run >> /dev/null",
            "artisan-schedule:run",
        ),
        ("@daily /opt/Clean_Up.sh Now", "clean_up.sh-now"),
        ("@daily \"$HOME/x y\"", "x"),
    ] {
        assert_eq!(names(text), [name], "{text}");
    }
}

#[test]
fn no_name_comes_twice_and_an_entry_keeps_its_name_when_others_come_and_go() {
    let four = names("@daily backup a.db\n@hourly backup b.db\n@weekly backup b.db\n@weekly backup b.db");
    assert!(four.iter().all(|name| name.starts_with("backup-")), "{four:?}");
    assert_eq!(four[3], format!("{}-2", four[2]));
    assert_eq!(BTreeSet::from_iter(&four).len(), 4, "{four:?}");
    assert_eq!(
        names("@weekly backup b.db\n@daily backup a.db\n@hourly backup b.db"),
        [&four[2], &four[0], &four[1]].map(String::clone)
    );
    assert_eq!(
        names("@daily backup a.db\n@hourly backup c.db")[0],
        names("@yearly backup a.db\n@hourly backup c.db")[0],
        "another time is the same entry"
    );
}

#[test]
fn an_entry_keeps_the_name_under_which_it_is_stored_when_others_come_and_go() {
    let stored_then = |before: &str, after: &str| {
        let stored: BTreeSet<String> = names(before).into_iter().collect();
        let reading = Reading { stored, ..reading() };
        let crontab = Crontab::read(after, &reading);
        let after: Vec<String> = names_of(&crontab).into_iter().map(str::to_owned).collect();
        (names(before), after)
    };
    let (a, b) = ("@daily backup a.db\n", "@hourly backup b.db\n");
    let both = format!("{a}{b}");
    for left in [a, b] {
        let (before, after) = stored_then(&both, left);
        let place = usize::from(left == b);
        assert_eq!(after, [before[place].clone()], "the other one went");
    }
    let (before, after) = stored_then(a, &both);
    assert_eq!(before, ["backup"]);
    assert_eq!(after, ["backup".to_owned(), names(&both)[1].clone()]);
    let twice = "@daily backup\n@weekly backup\n";
    let (before, after) = stored_then(twice, "@weekly backup\n");
    assert_eq!(
        after,
        [before[1].clone()],
        "the same command at another time went"
    );
}

#[test]
fn a_command_that_no_program_can_be_given_is_left_out() {
    let crontab = read("@daily a\0b");
    assert_eq!(
        notes(&crontab),
        [(1, "/payload/shell: a text for a program has no NUL in it")]
    );
    assert!(crontab.schedules.is_empty());
}

proptest! {
    #[test]
    fn of_any_text_each_entry_has_a_name_of_its_own_and_the_same_one_again(
        text in "([-@#~%*/,=\"' \t0-9A-Zaé&;.\\\\]{0,20}|[*0-9~]{1,3}( [*0-9~,/-]{1,3}){4} [a-c% é\"]{1,9}|@daily [a-c]{1,2}\n){0,20}"
    ) {
        let text = text.replace(';', "\n");
        let crontab = read(&text);
        let names: BTreeSet<&str> = names_of(&crontab).into_iter().collect();
        prop_assert_eq!(names.len(), crontab.schedules.len());
        for name in names {
            prop_assert_eq!(ScheduleName::from(name).check(), Ok(()));
        }
        let again = read(&text);
        prop_assert_eq!(names_of(&again), names_of(&crontab));
    }
}
