//! What a simulated container uses: a function of time, so that nothing needs to be counted.

use serde_json::{Value, json};

use super::clock::{SECOND, rfc3339};
use super::container::Container;
use super::random;
use super::world::World;

impl World {
    /// The answer to a request for a container's stats.
    pub fn stats(&self, now: i64, container: &Container) -> Value {
        if !container.is_running() {
            return json!({
                "read": "0001-01-01T00:00:00Z",
                "preread": "0001-01-01T00:00:00Z",
                "pids_stats": {},
                "cpu_stats": { "cpu_usage": { "total_usage": 0 } },
                "memory_stats": {},
                "name": format!("/{}", container.name),
                "id": container.id,
            });
        }
        let began = container.started().unwrap_or(now);
        let age = now - began;
        let cpus = i64::from(self.machine.cpus);
        let limit = container.limit("Memory");
        let most = if limit > 0 {
            limit as u64
        } else {
            self.machine.memory
        };
        let wobble = 0.9 + 0.2 * wave(self.seed, &container.id, now);
        let used = ((container.behaviour.memory as f64 * wobble) as u64).min(most);
        let rate = container.behaviour.rate;
        let received = (rate * 900.0 * age as f64 / SECOND as f64) as u64;
        json!({
            "read": rfc3339(now),
            "preread": "0001-01-01T00:00:00Z",
            "pids_stats": { "current": 3 + (rate as u64).min(60), "limit": container.limit("PidsLimit") },
            "cpu_stats": {
                "cpu_usage": { "total_usage": cpu(self.seed, container, began, now) },
                "system_cpu_usage": now.saturating_mul(cpus),
                "online_cpus": cpus,
            },
            "memory_stats": {
                "usage": used,
                "limit": most,
                "stats": { "inactive_file": 0 },
            },
            "name": format!("/{}", container.name),
            "id": container.id,
            "networks": { "eth0": { "rx_bytes": received, "tx_bytes": received * 12 } },
        })
    }
}

/// Between 0 and 1, moving slowly from one random value to the next.
fn wave(seed: u64, salt: &str, now: i64) -> f64 {
    const STEP: i64 = 20 * SECOND;
    let at = now / STEP;
    let share = (now % STEP) as f64 / STEP as f64;
    let value = |at: i64| random::fraction(seed, salt, at as u64);
    value(at) * (1.0 - share) + value(at + 1) * share
}

/// Processor time so far. Its rate swings around the mean, and it never goes back.
fn cpu(seed: u64, container: &Container, began: i64, now: i64) -> i64 {
    let behaviour = &container.behaviour;
    let mean = behaviour.cpu + behaviour.rate * 0.004;
    let swing = 5.0 * SECOND as f64;
    let phase = random::fraction(seed, &container.id, 7) * 6.0;
    let along = |at: i64| {
        let seconds = at as f64;
        seconds + swing * 0.8 * (seconds / swing + phase).sin()
    };
    ((along(now - began) - along(0)) * mean).max(0.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_of_the_processor_only_grows() {
        let mut world = World::new(7, "x", 0);
        let body =
            serde_json::json!({ "Image": "ostler-test/web:1", "Labels": { "sim.rate": "20" } });
        let id = world.preload(0, "a-site", &body).unwrap();
        let container = &world.containers[&id];
        let mut before = 0;
        for step in 1..2000 {
            let used = cpu(7, container, 0, step * SECOND / 10);
            assert!(used >= before);
            before = used;
        }
        assert!(
            (0.05..0.2).contains(&(before as f64 / (200 * SECOND) as f64)),
            "{before}"
        );
    }
}
