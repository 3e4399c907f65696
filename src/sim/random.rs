//! Chance that is the same each time: every number is a function of the seed and of what it is
//! for, so that nothing depends on the order of questions.

/// One number for a seed and what it is for.
pub fn number(seed: u64, salt: &str, index: u64) -> u64 {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    for byte in salt.bytes() {
        state = mix(state ^ u64::from(byte));
    }
    mix(state ^ index.wrapping_mul(0xd134_2543_de82_ef95))
}

/// As [`number`], between 0 and 1.
pub fn fraction(seed: u64, salt: &str, index: u64) -> f64 {
    (number(seed, salt, index) >> 11) as f64 / (1u64 << 53) as f64
}

/// 64 hexadecimal digits, such as ids are made of.
pub fn id(seed: u64, salt: &str, index: u64) -> String {
    (0..4)
        .map(|part| format!("{:016x}", number(seed, salt, index * 4 + part)))
        .collect()
}

fn mix(mut state: u64) -> u64 {
    state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_come_again() {
        assert_eq!(id(1, "container", 1), id(1, "container", 1));
        assert_ne!(id(1, "container", 1), id(1, "container", 2));
        assert_ne!(id(1, "container", 1), id(2, "container", 1));
        assert_eq!(id(1, "x", 0).len(), 64);
        assert!((0..100).all(|index| (0.0..1.0).contains(&fraction(3, "y", index))));
    }
}
