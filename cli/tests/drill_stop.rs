//! A drill that gets the signal of Ctrl-C ends with a report.
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

#[test]
fn a_drill_that_is_interrupted_prints_its_seed_first_and_a_report_at_the_end() {
    for signal in ["-INT", "-TERM"] {
        let mut drill = Command::new(env!("CARGO_BIN_EXE_connector"))
            .args(["drill", "--seconds", "3600", "--messages", "3600", "--seed", "7", "--faults", "none"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(drill.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert_eq!(
            first,
            "Seed 7. Repeat with: connector drill --seed 7 --seconds 3600 --messages 3600 --conversations 24 --faults none"
        );
        let killed = Command::new("kill").args([signal, &drill.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let mut report = String::new();
        drill.stdout.take().unwrap().read_to_string(&mut report).unwrap();
        assert_eq!(drill.wait().unwrap().code(), Some(130), "{signal}: {report}");
        assert!(report.contains("STOPPED EARLY"), "{signal}: {report}");
        assert!(lines.any(|line| line.unwrap().starts_with("Stopping: ")), "{signal}: {report}");
    }
}
