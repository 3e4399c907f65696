//! How a simulated site behaves. Environment and labels of its container steer it, and whoever
//! holds the simulation.

use std::time::Duration;

/// How a container that serves does so.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// Status of its answers.
    pub status: u16,
    /// How long an answer takes.
    pub latency: Duration,
    /// Requests never get an answer.
    pub hangs: bool,
    /// How long after its start it begins to answer.
    pub ready_after: Duration,
    /// Visitors, requests a second; a line of its log each.
    pub rate: f64,
    /// Share of the visitors that get a 5xx.
    pub errors: f64,
    /// Memory it wants, bytes. Wanting more than its limit costs it its workers: `oom` events,
    /// and requests that end without an answer.
    pub memory: u64,
    /// Cores it uses.
    pub cpu: f64,
    /// It ends by itself after that long, with code 1.
    pub exits_after: Option<Duration>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour {
            status: 200,
            latency: Duration::ZERO,
            hangs: false,
            ready_after: Duration::ZERO,
            rate: 0.0,
            errors: 0.0,
            memory: 24 << 20,
            cpu: 0.002,
            exits_after: None,
        }
    }
}

impl Behaviour {
    /// Applies one setting by name: `status`, `latency-ms`, `hangs`, `ready-after-ms`, `rate`,
    /// `errors`, `memory`, `cpu`, `exits-after-s`. Whether there is such a setting and the value
    /// can be read.
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        fn put<T: std::str::FromStr>(field: &mut T, value: &str) -> bool {
            value.parse().map(|value| *field = value).is_ok()
        }
        let millis = |value: &str| value.parse().ok().map(Duration::from_millis);
        match name {
            "status" => put(&mut self.status, value),
            "hangs" => put(&mut self.hangs, value),
            "rate" => put(&mut self.rate, value),
            "errors" => put(&mut self.errors, value),
            "memory" => put(&mut self.memory, value),
            "cpu" => put(&mut self.cpu, value),
            "latency-ms" => millis(value).map(|time| self.latency = time).is_some(),
            "ready-after-ms" => millis(value).map(|time| self.ready_after = time).is_some(),
            "exits-after-s" => match value.parse() {
                Ok(seconds) => {
                    self.exits_after = Some(Duration::from_secs(seconds));
                    true
                }
                Err(_) => false,
            },
            _ => false,
        }
    }

    /// Takes settings from labels `sim.latency-ms` and environment `SIM_LATENCY_MS`.
    pub fn steer<'a>(
        &mut self,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
        env: impl Iterator<Item = &'a str>,
    ) {
        for (name, value) in labels {
            if let Some(name) = name.strip_prefix("sim.") {
                self.set(name, value);
            }
        }
        for line in env {
            if let Some((name, value)) = line
                .strip_prefix("SIM_")
                .and_then(|rest| rest.split_once('='))
            {
                self.set(&name.to_ascii_lowercase().replace('_', "-"), value);
            }
        }
    }
}

/// What an HTTP request to a simulated container meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing listens there.
    Refused,
    /// The connection is closed without an answer.
    Closed,
    /// No answer, ever.
    Silence,
    /// This status, after that long.
    Status(u16, Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_environment_steer() {
        let mut behaviour = Behaviour::default();
        behaviour.steer(
            [("sim.status", "503"), ("other", "1"), ("sim.rate", "x")].into_iter(),
            [
                "SIM_LATENCY_MS=250",
                "PATH=/",
                "SIM_EXITS_AFTER_S=3",
                "SIM_",
            ]
            .into_iter(),
        );
        assert_eq!(behaviour.status, 503);
        assert_eq!(behaviour.latency, Duration::from_millis(250));
        assert_eq!(behaviour.exits_after, Some(Duration::from_secs(3)));
        assert_eq!(behaviour.rate, 0.0);
    }
}
