//! What is simulated, and the commands that repeat it.

use connector_testing::simulation::Faults;

/// How many seeds are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// This many.
    Seeds(u64),
    /// As many as fit into this many seconds of CPU time.
    CpuSeconds(u64),
}

/// What is simulated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// The first seed.
    pub(super) seed: u64,
    pub(super) extent: Extent,
    pub(super) messages: u64,
    pub(super) has_faults: bool,
    /// The names of the faults that never happen.
    pub(super) without: Vec<String>,
    pub(super) trace: bool,
    pub(super) shrink: bool,
}

impl Plan {
    /// Returns the seed after this many others. After the largest one comes 0.
    pub(super) const fn seed_after(&self, others: u64) -> u64 {
        self.seed.wrapping_add(others)
    }

    /// Returns what can go wrong with a seed.
    pub(super) fn faults(&self, seed: u64) -> Faults {
        let faults = if self.has_faults { Faults::of_seed(seed) } else { Faults::none() };
        self.without.iter().fold(faults, |faults, name| faults.without(name).unwrap_or(faults))
    }

    /// Returns the first line of the output.
    pub(super) fn first_line(&self) -> String {
        let Self { seed, messages, .. } = self;
        let (what, how_many) = match self.extent {
            Extent::Seeds(1) => (format!("Seed {seed}: {messages} messages."), 1),
            Extent::Seeds(seeds) => {
                let last = self.seed_after(seeds - 1);
                (format!("Seeds {seed} to {last}: {messages} messages each."), seeds)
            }
            Extent::CpuSeconds(seconds) => {
                (format!("Seeds from {seed} on, for {seconds} s of CPU time: {messages} messages each."), 1)
            }
        };
        let which = if matches!(self.extent, Extent::CpuSeconds(_)) { "Repeat the first" } else { "Repeat" };
        format!("{what} {which}: {}\n", self.command(*seed, how_many))
    }

    /// Returns the command that simulates these seeds in the same way.
    pub(super) fn command(&self, first: u64, seeds: u64) -> String {
        let several = if seeds == 1 { String::new() } else { format!(" --seeds {seeds}") };
        format!("connector simulate --seed {first}{several} --messages {}{}", self.messages, self.fault_options(&[]))
    }

    /// Returns the command that simulates a seed with fewer messages and faults.
    pub(super) fn smaller_command(&self, seed: u64, messages: u64, without: &[String]) -> String {
        format!("connector simulate --seed {seed} --messages {messages}{}", self.fault_options(without))
    }

    fn fault_options(&self, without: &[String]) -> String {
        let none = if self.has_faults { "" } else { " --faults none" };
        let without = [&self.without, without].concat().join(",");
        if without.is_empty() { none.to_owned() } else { format!("{none} --without {without}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(extent: Extent) -> Plan {
        let without = vec![];
        Plan { seed: 7, extent, messages: 400, has_faults: true, without, trace: false, shrink: false }
    }

    #[test]
    fn the_first_line_has_the_command_that_repeats_it() {
        assert_eq!(
            plan(Extent::Seeds(1)).first_line(),
            "Seed 7: 400 messages. Repeat: connector simulate --seed 7 --messages 400\n"
        );
        assert_eq!(
            plan(Extent::Seeds(10)).first_line(),
            "Seeds 7 to 16: 400 messages each. Repeat: connector simulate --seed 7 --seeds 10 --messages 400\n"
        );
        assert_eq!(
            plan(Extent::CpuSeconds(60)).first_line(),
            "Seeds from 7 on, for 60 s of CPU time: 400 messages each. \
             Repeat the first: connector simulate --seed 7 --messages 400\n"
        );
    }

    #[test]
    fn a_command_has_the_faults() {
        let without = vec!["killed".to_owned()];
        let none = Plan { has_faults: false, ..plan(Extent::Seeds(1)) };
        assert_eq!(none.command(9, 1), "connector simulate --seed 9 --messages 400 --faults none");
        let fewer = Plan { without: vec!["slow".to_owned()], ..plan(Extent::Seeds(1)) };
        assert_eq!(
            fewer.smaller_command(9, 12, &without),
            "connector simulate --seed 9 --messages 12 --without slow,killed"
        );
    }

    #[test]
    fn faults_are_those_of_the_seed_without_some() {
        let seed = (1..).find(|seed| Faults::of_seed(*seed).killed > 0).unwrap();
        let all = plan(Extent::Seeds(1));
        assert_eq!(all.faults(seed), Faults::of_seed(seed));
        let fewer = Plan { without: vec!["killed".to_owned()], ..all.clone() };
        assert_eq!(fewer.faults(seed), Faults { killed: 0, ..Faults::of_seed(seed) });
        assert_eq!(Plan { has_faults: false, ..all }.faults(seed), Faults::none());
    }
}
