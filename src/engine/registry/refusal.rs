//! What it means that an engine could not pull an image.

use super::{HUB, Known, registry_of};
use crate::engine::Error;
use crate::text::short;

/// An engine's error about pulling `reference`: the refusal of its registry where it is one.
pub(in crate::engine) fn refused(error: Error, reference: &str, known: &Known) -> Error {
    let Error::Status { message, .. } = &error else {
        return error;
    };
    match read(&message.to_lowercase(), reference, known) {
        Some((why, remedy)) => {
            let why = format!("{why} (the engine says: {})", short(message, SAID));
            Error::Registry { why, remedy }
        }
        None => error,
    }
}

/// Characters of an engine's own words that are told.
const SAID: usize = 300;

/// Whether a registry denies: in its own words, since engines speak of what was denied to themselves,
/// by the kernel or a plugin, in much the same ones.
fn denies(said: &str) -> bool {
    const WORDS: [&str; 6] = [
        "pull access denied",
        "requested access to the resource is denied",
        "403 forbidden",
        "status: 403",
        "status code 403",
        "http 403",
    ];
    // The code of a registry's error stands for itself: `denied: …`, `…: denied`, also twice.
    let alone = |(at, word): (usize, &str)| {
        let (before, after) = (said[..at].trim_end_matches(' '), &said[at + word.len()..]);
        (before.is_empty() || before.ends_with([':', '"', '[']))
            && (after.starts_with([':', '"', ']'])
                || after.split_whitespace().all(|more| more == "denied"))
    };
    WORDS.iter().any(|word| said.contains(word)) || said.match_indices("denied").any(alone)
}

/// Whether a registry wants to know who asks. A proxy that does is another one's.
fn asks(said: &str) -> bool {
    const WORDS: [&str; 6] = [
        "no basic auth",
        "unauthorized",
        "authentication required",
        "status: 401",
        "status code 401",
        "http 401",
    ];
    let said = said.replace("proxy authentication required", "");
    WORDS.iter().any(|word| said.contains(word))
}

/// What an engine's words mean, and what can be done about it; `None`: no registry refused.
fn read(said: &str, reference: &str, known: &Known) -> Option<(String, String)> {
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let (image, registry) = (short(reference, 200), registry_of(reference));
    let name = short(registry, 100);
    let log_in = match registry {
        HUB => "`docker login`".to_owned(),
        _ => format!("`docker login {name}`"),
    };
    let refuses = |why: String, remedy: String| {
        let why = format!("{name} refuses {image}: {why}");
        Some((why, remedy))
    };
    if says(&["toomanyrequests", "too many requests"]) {
        let remedy = match known {
            Known::Credentials { .. } => "try again later".to_owned(),
            _ => format!("try again later, or {log_in}: who is known may pull more"),
        };
        return refuses("it was asked too often".to_owned(), remedy);
    }
    if says(&["manifest unknown", "name unknown"]) {
        let remedy = "are its name and its tag right?".to_owned();
        return Some((format!("{name} has no image {image}"), remedy));
    }
    let denies = denies(said);
    if !denies && !asks(said) {
        return None;
    }
    match known {
        // With what it says the image might have been given.
        Known::Unusable { why } => {
            refuses(why.clone(), format!("mend that; {log_in} logs in afresh"))
        }
        Known::Nothing { from } => {
            let perhaps = match denies {
                true => "it is not there, or not for everybody: ",
                false => "",
            };
            let why = format!("{perhaps}no credentials for {name} in {from}");
            refuses(why, log_in)
        }
        Known::Credentials { from } if denies => refuses(
            format!("it is not there, or not allowed with the credentials of {from}"),
            format!("is its name right? {log_in} as somebody who may read it"),
        ),
        Known::Credentials { from } => {
            refuses(format!("the credentials of {from} are refused"), log_in)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "/home/ops/.docker/config.json";

    /// In the words of engines from 20.10 to 28, and of one with containerd's store.
    #[test]
    fn a_refusal_is_named_as_what_it_is() {
        let none = || Known::Nothing { from: FILE.into() };
        let some = || Known::Credentials { from: FILE.into() };
        let broken = Known::Unusable {
            why: format!("{FILE} cannot be used: it is larger than 1 MiB"),
        };
        let image = "r.example/app:1";
        for (message, known, why, remedy) in [
            (
                "Head \"https://r.example/v2/app/manifests/1\": no basic auth credentials",
                none(),
                "r.example refuses r.example/app:1: no credentials for r.example in /home/ops/.docker/config.json",
                "`docker login r.example`",
            ),
            (
                "unauthorized: authentication required",
                some(),
                "r.example refuses r.example/app:1: the credentials of /home/ops/.docker/config.json are refused",
                "`docker login r.example`",
            ),
            (
                "failed to resolve reference \"r.example/app:1\": unexpected status from HEAD request to https://r.example/v2/app/manifests/1: 401 Unauthorized",
                some(),
                "r.example refuses r.example/app:1: the credentials of /home/ops/.docker/config.json are refused",
                "`docker login r.example`",
            ),
            (
                "pull access denied for r.example/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                none(),
                "r.example refuses r.example/app:1: it is not there, or not for everybody: no credentials for r.example in /home/ops/.docker/config.json",
                "`docker login r.example`",
            ),
            (
                "denied: requested access to the resource is denied",
                some(),
                "r.example refuses r.example/app:1: it is not there, or not allowed with the credentials of /home/ops/.docker/config.json",
                "is its name right? `docker login r.example` as somebody who may read it",
            ),
            (
                "unauthorized: authentication required",
                broken,
                "r.example refuses r.example/app:1: /home/ops/.docker/config.json cannot be used: it is larger than 1 MiB",
                "mend that; `docker login r.example` logs in afresh",
            ),
            (
                "manifest for r.example/app:1 not found: manifest unknown: manifest unknown",
                some(),
                "r.example has no image r.example/app:1",
                "are its name and its tag right?",
            ),
            (
                "toomanyrequests: You have reached your pull rate limit.",
                none(),
                "r.example refuses r.example/app:1: it was asked too often",
                "try again later, or `docker login r.example`: who is known may pull more",
            ),
        ] {
            let error = Error::answered(500, "pull", message);
            let why = format!("{why} (the engine says: {message})");
            let remedy = remedy.to_owned();
            let refusal = Error::Registry { why, remedy };
            assert_eq!(refused(error, image, &known), refusal);
        }
        for message in [
            "Get \"https://r.example/v2/\": dial tcp: lookup r.example: no such host",
            "Get \"http://127.0.0.1:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused",
            "failed to register layer: Error processing tar file(exit status 1): open /x: permission denied",
            "failed to register layer: mkdir /var/lib/docker/overlay2/x: permission denied: SELinux",
            "authorization denied by plugin casbin: denied by policy",
            "write /var/lib/docker/tmp/x: operation denied",
            "Get \"https://r.example/v2/\": proxyconnect tcp: Proxy Authentication Required",
        ] {
            let error = Error::answered(500, "pull", message);
            assert_eq!(refused(error.clone(), image, &none()), error);
        }
    }

    #[test]
    fn what_registries_say_is_told_from_what_engines_say() {
        for said in [
            "Head \"https://ghcr.io/v2/team/app/manifests/1\": denied",
            "error from registry: denied\ndenied",
            "Head \"https://ghcr.io/v2/team/app/manifests/1\": denied: permission_denied: The token has not the scope",
            "denied: Your authorization token has expired. Reauthenticate and try again.",
            "unexpected status from HEAD request to https://r.example/v2/app/manifests/1: 403 Forbidden",
            "error parsing HTTP 403 response body: invalid character '<'",
            "error parsing HTTP 401 response body: unexpected end of JSON input",
            "unauthorized to access repository: team/app, action: pull",
        ] {
            let known = Known::Credentials { from: FILE.into() };
            let error = refused(
                Error::answered(500, "pull", said),
                "r.example/app:1",
                &known,
            );
            let Error::Registry { why, .. } = error else {
                panic!("{said}: {error:?}");
            };
            assert!(why.contains(&short(said, SAID)), "{why}");
        }
        // However much it says, and whatever it writes.
        let known = Known::Nothing { from: FILE.into() };
        let said = format!("denied: \u{1b}[31m{}", "x".repeat(9000));
        let error = refused(
            Error::answered(500, "pull", &said),
            "r.example/app:1",
            &known,
        );
        let told = error.to_string();
        assert!(told.len() < 700 && !told.contains('\u{1b}'), "{told}");
    }
}
