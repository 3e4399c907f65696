//! Who runs this process.

/// The login name as the system knows it, for where the environment does not say: under cron and
/// systemd. `None`: it has none.
pub fn login() -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid());
    user.ok().flatten().map(|user| user.name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_system_knows_our_name() {
        let said = std::process::Command::new("id")
            .arg("-un")
            .output()
            .unwrap();
        let name = String::from_utf8(said.stdout).unwrap();
        assert_eq!(super::login().as_deref(), Some(name.trim()));
    }
}
