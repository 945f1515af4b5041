//! Random schedules of faults, replayable: `HOMELAB_SEED=7 HOMELAB_SCHEDULES=1` runs the one that failed.

use serde_json::json;

use super::befall::{ALL, Fault, cluster, deploy_with};
use super::ending::{Stranger, converges, counted};
use crate::lab::lab4;

/// A small generator of our own: the same numbers from the same seed for ever.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        // Knuth's multiplier; the upper bits are the random ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
#[ignore = "make test-faults"]
fn random_faults_at_random_steps() {
    let whole = lab4();
    let mut cluster = cluster("random");
    let stranger = Stranger::on("lab3", &cluster);
    let (seed, schedules) = (number("HOMELAB_SEED").unwrap_or(1), number("HOMELAB_SCHEDULES").unwrap_or(30));
    let mut faults = 0;
    for seed in seed..seed + schedules {
        let mut dice = Dice(seed);
        // One to three deploys go wrong, each wanting something else, before one may go right.
        for _ in 0..=dice.below(3) {
            cluster.hosts["lab4"]["models"]["alpha"]["ctx_size"] = json!(512 + 32 * dice.below(40));
            if dice.below(4) == 0 {
                cluster.model("lab4", "beta", 2);
            } else {
                cluster.hosts["lab4"]["models"].as_object_mut().unwrap().remove("beta");
            }
            let fault = Fault::ALL[dice.below(Fault::ALL.len())];
            let at = 1 + dice.below(12);
            eprintln!("seed {seed}: {fault:?} at {at}");
            if deploy_with(&whole, &cluster, (fault, at)).is_some() {
                faults += 1;
            }
        }
        let all = match cluster.hosts["lab4"]["models"].get("beta") {
            Some(_) => vec![ALL[0], ALL[1], "lab4-beta-1"],
            None => ALL.to_vec(),
        };
        converges(&cluster, &all);
        cluster.answers("alpha");
        cluster.forget();
    }
    stranger.untouched();
    counted(&format!("random faults, in {schedules} schedules"), faults, 1);
}
