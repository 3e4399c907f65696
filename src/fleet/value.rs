//! Single values: text in, value out, or what would be right.

use super::name::{Domain, Invalid};

/// Longest path, in bytes.
const LONGEST_PATH: usize = 500;
/// Longest URL or path of a request, in bytes.
const LONGEST_URL: usize = 2000;
/// Longest variable of an environment with its name, in bytes: no program could be started with one
/// of 128 KiB.
const LONGEST_VARIABLE: usize = 100_000;
/// Least memory that Docker gives a container.
const MEMORY_FLOOR: u64 = 6 << 20;

pub(super) fn invalid<T>(text: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid(text.into()))
}

/// Bytes of a size such as `128M`, `1G` or `512k`; units are binary, as Docker's.
pub fn parse_size(text: &str) -> Result<u64, Invalid> {
    let wrong = || Invalid("a size is a number with k, M or G, such as 128M".into());
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        "t" | "T" => 40,
        unit => {
            let near = unit.chars().next().map(|c| c.to_ascii_uppercase());
            return match near {
                Some(c @ ('K' | 'M' | 'G' | 'T')) if unit.len() <= 3 => {
                    let c = if c == 'K' { 'k' } else { c };
                    invalid(format!(
                        "write {digits}{c}; units are binary: 1M is 1024 × 1024 bytes"
                    ))
                }
                _ => Err(wrong()),
            };
        }
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if plain {
            text.parse::<u64>().map_err(|_| wrong())
        } else {
            Err(wrong())
        }
    };
    if fraction.len() > 9 {
        return Err(wrong());
    }
    let scale = 10u128.pow(fraction.len() as u32);
    let scaled = u128::from(number(whole)?) * scale + u128::from(number(fraction)?);
    let bytes = (scaled << shift) / scale;
    match u64::try_from(bytes) {
        Ok(bytes) if bytes <= 1 << 53 => Ok(bytes),
        _ => invalid("more than any machine has"),
    }
}

/// The same for a memory limit, which has a least value.
pub fn parse_memory(text: &str) -> Result<u64, Invalid> {
    let bytes = parse_size(text)?;
    if bytes >= MEMORY_FLOOR {
        return Ok(bytes);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return invalid(format!("that is {text} bytes; did you mean {text}M?"));
    }
    invalid("Docker gives no container less than 6M")
}

/// A size in the largest unit that leaves no fraction: `128M`.
pub fn format_size(bytes: u64) -> String {
    for (shift, unit) in [(40, "T"), (30, "G"), (20, "M"), (10, "k")] {
        if bytes > 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// Billionths of a CPU from `0.5`.
pub fn parse_cpus(text: &str) -> Result<u64, Invalid> {
    let wrong = || Invalid("CPUs are a number such as 0.5 or 2".into());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 || whole.len() > 4 {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let nano: u64 = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
    match whole * 1_000_000_000 + nano {
        0..10_000_000 => invalid("Docker gives no container less than 0.01 CPUs"),
        nano => Ok(nano),
    }
}

/// CPUs as `0.5` from billionths.
pub fn format_cpus(nano: u64) -> String {
    let text = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A whole number in plain decimal, from `least` to `most`.
pub fn parse_number(text: &str, least: u32, most: u32) -> Result<u32, Invalid> {
    let decimal = text.bytes().all(|b| b.is_ascii_digit());
    if decimal && text.len() > 1 && text.starts_with('0') {
        return invalid("some readers take a leading 0 for octal; write it without");
    }
    match text.parse::<u32>() {
        Ok(number) if decimal && (least..=most).contains(&number) => Ok(number),
        _ => invalid(format!("a whole number from {least} to {most}")),
    }
}

/// Longest time of a key that has no shorter one, in seconds.
pub const DAY: u32 = 24 * 3600;

/// Seconds from `60`, `60s`, `2m` or `2h`; 1 second to `most` of them, whole hours.
pub fn parse_seconds(text: &str, most: u32) -> Result<u32, Invalid> {
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'h') => (&text[..text.len() - 1], 3600),
        Some(b'm') => (&text[..text.len() - 1], 60),
        Some(b's') => (&text[..text.len() - 1], 1),
        _ => (text, 1),
    };
    let number = digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse::<u32>().ok());
    match number.flatten().and_then(|n| n.checked_mul(factor)) {
        Some(seconds) if (1..=most).contains(&seconds) => Ok(seconds),
        _ => {
            let (hours, s) = (most / 3600, if most == 3600 { "" } else { "s" });
            invalid(format!(
                "a time is written like 60, 60s or 2m, from 1 second to {hours} hour{s}"
            ))
        }
    }
}

/// Seconds in the largest unit that leaves no fraction: `2m`.
pub fn format_seconds(seconds: u32) -> String {
    match seconds {
        1.. if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        1.. if seconds.is_multiple_of(60) && seconds > 60 => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// Longest time in days, in seconds: ten years.
const LONGEST_DAYS: u32 = 3650 * DAY;

/// Seconds from `180d`, or as [`parse_seconds`] takes them; 0 to ten years.
pub fn parse_days(text: &str) -> Result<u32, Invalid> {
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'd') => (&text[..text.len() - 1], DAY),
        Some(b'h') => (&text[..text.len() - 1], 3600),
        Some(b'm') => (&text[..text.len() - 1], 60),
        Some(b's') => (&text[..text.len() - 1], 1),
        _ => (text, 1),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let number = plain.then(|| digits.parse::<u32>().ok()).flatten();
    match number.and_then(|n| n.checked_mul(factor)) {
        Some(seconds) if seconds <= LONGEST_DAYS => Ok(seconds),
        _ => invalid("a time is written like 180d, 12h or 300, up to 3650d"),
    }
}

/// Seconds in the largest unit that leaves no fraction: `180d`.
pub fn format_days(seconds: u32) -> String {
    match seconds {
        1.. if seconds.is_multiple_of(DAY) => format!("{}d", seconds / DAY),
        _ => format_seconds(seconds),
    }
}

/// An absolute path without `.`, `..`, doubled or trailing slashes. A colon would end it in
/// Docker's binds.
pub fn parse_folder(text: &str) -> Result<String, Invalid> {
    if !text.starts_with('/') {
        return invalid("a path has to be absolute: it begins with /");
    }
    if text.chars().any(|c| c.is_control() || c == ':') {
        return invalid("a path with a colon or a control character cannot be mounted");
    }
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => return invalid("write the path without `..`"),
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return invalid("it is the root of the whole system; name a folder of its own");
    }
    if text.len() > LONGEST_PATH {
        return invalid(format!("a path has at most {LONGEST_PATH} characters"));
    }
    Ok(format!("/{}", parts.join("/")))
}

/// What a root folder's path is made of: it stands bare in the router's configuration, where nothing
/// in it may mean anything.
pub const ROOT_IS: &str = "it is an absolute path of letters, digits and . _ - /";

/// Whether a path is as [`ROOT_IS`] says.
pub fn is_root(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    path.starts_with('/') && path.bytes().all(plain)
}

/// The folder on a host below which everything is kept.
pub fn parse_root(text: &str) -> Result<String, Invalid> {
    let root = parse_folder(text)?;
    match is_root(&root) {
        true => Ok(root),
        false => invalid(ROOT_IS),
    }
}

/// Folders of a container that are the kernel's or ours, with what is below them.
const TAKEN: [&str; 8] = [
    "/dev",
    "/proc",
    "/sys",
    "/run/secrets",
    "/etc/ostler",
    // Docker's own.
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
];
/// Folders of a container in which some of ours are, or that are ours themselves.
const SHARED: [&str; 3] = ["/run", "/tmp", "/etc"];

/// Where in a container a folder appears.
pub fn parse_mount(text: &str) -> Result<String, Invalid> {
    let folder = parse_folder(text)?;
    // In most images the one is a link to the other.
    let real = match folder.strip_prefix("/var/run") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/run{rest}"),
        _ => folder.clone(),
    };
    let within = |taken: &&&str| {
        let rest = real.strip_prefix(**taken);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if let Some(taken) = TAKEN.iter().find(within) {
        return invalid(format!(
            "{taken} of a container is taken; name a folder of the image"
        ));
    }
    if SHARED.contains(&real.as_str()) {
        return invalid(format!(
            "{folder} of a container is needed as it is; name a folder in it"
        ));
    }
    Ok(folder)
}

/// The path of a request: begins with `/`, only what may stand in a request line.
pub fn parse_url_path(text: &str) -> Result<String, Invalid> {
    if !text.starts_with('/') {
        return invalid("it begins with /");
    }
    if text.len() > LONGEST_URL {
        return invalid(format!("it has at most {LONGEST_URL} characters"));
    }
    match text
        .chars()
        .find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}#".contains(*c))
    {
        None => Ok(text.to_owned()),
        Some(c) => invalid(format!("{c:?} must be percent-encoded")),
    }
}

/// What of a URL cannot be given to the router, which puts it into a header and a line of a map.
pub fn unfit_url(url: &str) -> Option<&'static str> {
    if url.len() > LONGEST_URL {
        return Some("it is longer than 2000 characters");
    }
    let bytes = url.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let fine = match byte {
            b'%' => bytes
                .get(at + 1..at + 3)
                .is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)),
            other => other.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(other),
        };
        if !fine {
            return Some("a character in it must be written as %XX in a URL");
        }
    }
    let (_, rest) = url.split_once("//")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    if authority.is_empty() {
        return Some("it names no host");
    }
    if authority.contains('@') {
        return Some("it carries a login");
    }
    None
}

/// Where a redirect leads: an http(s) URL that the router can be given.
pub fn parse_redirect(text: &str) -> Result<String, Invalid> {
    let Some(rest) = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
    else {
        return invalid("a redirect leads to a URL such as https://blog.example.net");
    };
    if let Some(c) = rest
        .chars()
        .find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c))
    {
        return invalid(format!("{c:?} must be percent-encoded"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    if authority.contains('@') {
        return invalid("a login does not belong in a redirect");
    }
    host_and_port(authority)?;
    match unfit_url(text) {
        None => Ok(text.to_owned()),
        Some(why) => invalid(why),
    }
}

/// A URL that is asked: `https://` or `http://`, without a login.
pub fn parse_web(text: &str) -> Result<String, Invalid> {
    let rest = text.strip_prefix("https://");
    let Some(rest) = rest.or_else(|| text.strip_prefix("http://")) else {
        return invalid("it is a URL such as https://alerts.example.net/ostler");
    };
    if text.contains('#') {
        return invalid("what follows # is never sent; leave it out");
    }
    if rest.split(['/', '?']).next().unwrap_or("").contains('@') {
        return invalid("a login does not belong here");
    }
    if let Some(why) = unfit_url(text) {
        return invalid(why);
    }
    host_and_port(rest.split(['/', '?']).next().unwrap_or(""))?;
    Ok(text.to_owned())
}

/// The domain a redirect leads to, and the port where it names one.
pub fn redirect_host(url: &str) -> Option<(Domain, Option<u16>)> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = host_and_port(authority).ok()?;
    Some((host.parse().ok()?, port))
}

/// `host`, `host:port`, `[v6]:port`, checked.
pub(super) fn host_and_port(text: &str) -> Result<(&str, Option<u16>), Invalid> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (inner, tail) = rest
                .split_once(']')
                .ok_or_else(|| Invalid("the bracket is not closed".into()))?;
            if inner.parse::<std::net::Ipv6Addr>().is_err() {
                return invalid(format!("{inner:?} is not an IPv6 address"));
            }
            let port = match tail {
                "" => None,
                tail => Some(tail.strip_prefix(':').unwrap_or("")),
            };
            (inner, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let label = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let length = (1..=253).contains(&host.len());
    let plain = length && !host.starts_with(['-', '.']) && host.chars().all(label);
    if !plain && !text.starts_with('[') {
        return invalid(format!("{host:?} is not the name or address of a machine"));
    }
    let port = match port {
        None => None,
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Some(port),
            _ => return invalid(format!("{digits:?} is not a port (1 to 65535)")),
        },
    };
    Ok((host, port))
}

/// Checks an image reference: `[registry/]path[:tag][@sha256:…]`.
pub fn parse_image(text: &str) -> Result<String, Invalid> {
    let wrong = |why: &str| {
        Err(Invalid(format!(
            "{why}; an image is written like nginx:1.28"
        )))
    };
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    if let Some(digest) = digest {
        let hex = digest.strip_prefix("sha256:").unwrap_or("");
        if hex.len() != 64 || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return wrong("the part behind @ is not sha256: and 64 hexadecimal digits");
        }
    }
    let slash = rest.rfind('/').map_or(0, |i| i + 1);
    let (path, tag) = match rest[slash..].split_once(':') {
        Some((last, tag)) => (&rest[..slash + last.len()], Some(tag)),
        None => (rest, None),
    };
    if let Some(tag) = tag {
        let inner = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if tag.is_empty()
            || tag.len() > 128
            || tag.starts_with(['.', '-'])
            || !tag.chars().all(inner)
        {
            return wrong(&format!("{tag:?} is not a tag"));
        }
    }
    let parts: Vec<&str> = path.split('/').collect();
    if path.len() > 255 {
        return wrong("its name is longer than 255 characters");
    }
    if path.len() == 64 && path.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return wrong("its name looks like an id");
    }
    for (i, part) in parts.iter().enumerate() {
        let registry =
            i == 0 && parts.len() > 1 && (part.contains(['.', ':']) || *part == "localhost");
        if registry {
            let host = host_and_port(part)?.0;
            if part.starts_with('[') || host.contains('_') {
                return wrong(&format!("{part:?} is not the address of a registry"));
            }
            continue;
        }
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
        if part.chars().any(|c| c.is_ascii_uppercase()) {
            return wrong("its name has an upper-case letter");
        }
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        // Between letters and digits stands one dot, one or two underscores, or any hyphens.
        let between =
            |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|b| b == b'-');
        let parted = part.split(|c: char| c.is_ascii_alphanumeric()).all(between);
        let ends = edge(part.chars().next()) && edge(part.chars().last());
        if !part.chars().all(inner) || !ends || !parted {
            return wrong(&format!("{part:?} cannot be part of an image's name"));
        }
    }
    Ok(text.to_owned())
}

/// A version of PHP such as `8.4` or `8.4.12`.
pub fn parse_php(text: &str) -> Result<String, Invalid> {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |p: &&str| !p.is_empty() && p.len() <= 3 && p.bytes().all(|b| b.is_ascii_digit());
    match (2..=3).contains(&parts.len()) && parts.iter().all(number) {
        true => Ok(text.to_owned()),
        false => invalid("a version of PHP is written like \"8.4\""),
    }
}

/// The name of an environment variable.
pub fn parse_env_name(text: &str) -> Result<String, Invalid> {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(inner)
    {
        true => Ok(text.to_owned()),
        false => invalid("a variable's name has letters, digits and _, and begins with no digit"),
    }
}

/// Most bytes of all of a site's variables together: the kernel takes not much more with a program.
pub const LARGEST_ENVIRONMENT: usize = 512 << 10;

/// What is wrong with a variable, its name known to be right.
pub fn unfit_variable(name: &str, value: &str) -> Option<String> {
    let too_long = name.len() + value.len() > LONGEST_VARIABLE;
    too_long.then(|| format!("a variable has at most {LONGEST_VARIABLE} bytes, its name included"))
}

/// The name of a secret: a file name under `/run/secrets`.
pub fn parse_secret_name(text: &str) -> Result<String, Invalid> {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    match (1..=64).contains(&text.len()) && !text.starts_with(['.', '-']) && text.chars().all(inner)
    {
        true => Ok(text.to_owned()),
        false => invalid(
            "a secret's name has 1 to 64 letters, digits, _ . or -, and begins with a letter, digit or _",
        ),
    }
}

/// The name of a php.ini directive.
pub fn parse_ini_name(text: &str) -> Result<String, Invalid> {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    match text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(inner) {
        true => Ok(text.to_owned()),
        false => invalid("a directive of php.ini is written like upload_max_filesize"),
    }
}

/// A domain of a site: as [`parse_domain`] takes it, or `*.` and one.
pub fn parse_site_domain(text: &str) -> Result<Domain, Invalid> {
    let Some(rest) = text.strip_prefix("*.") else {
        return match text.contains('*') {
            true => invalid("a wildcard is one whole label, the first: *.shop.example"),
            false => parse_domain(text),
        };
    };
    if rest.contains('*') {
        return invalid("a wildcard is one whole label, the first: *.shop.example");
    }
    format!("*.{}", parse_domain(rest)?).parse()
}

/// A domain, with what would be right for what people write instead of one.
pub fn parse_domain(text: &str) -> Result<Domain, Invalid> {
    if let Some(rest) = text.strip_prefix("*.") {
        return invalid(format!(
            "only among the `domains` of a site there are wildcards; write a domain, such as www.{rest}"
        ));
    }
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':']).next().unwrap_or("");
        return invalid(format!("write the domain only: {host}"));
    }
    if let Some((host, _)) = text.split_once(['/', ':']) {
        return invalid(format!(
            "write the domain only, without port or path: {host}"
        ));
    }
    if text.contains('_') {
        return invalid("a domain has no underscore; use a hyphen");
    }
    text.parse()
}

/// An e-mail address, as far as a text can tell.
pub fn parse_email(text: &str) -> Result<String, Invalid> {
    let plain = !text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c));
    match text.rsplit_once('@') {
        Some((user, domain))
            if plain
                && !user.is_empty()
                && domain.parse().is_ok_and(|it: Domain| !it.is_wildcard()) =>
        {
            Ok(text.to_owned())
        }
        _ => invalid("an address is written like alice@example.net"),
    }
}

#[cfg(test)]
mod tests;
