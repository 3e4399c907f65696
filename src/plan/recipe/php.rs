//! `php`: Apache with PHP serves the site's `www` and may write to it.

use std::collections::BTreeMap;

use super::base::{COPY, FILES_AT, SOURCE, Setting, Wanted, base, memory_folder, words, www};
use crate::fleet::php_ini::Uploads;
use crate::fleet::value::format_size;
use crate::fleet::{Images, Site};
use crate::record::route::{SERVER_FIELDS, SERVER_HEAD};
use crate::record::spec::Bind;

/// Where visitors of `https://` are led. A server of Apache has one scheme: it stands in REQUEST_SCHEME
/// and SERVER_PORT, and in every redirect that Apache makes of a path.
const HTTPS: u16 = 8443;

/// Included behind the image's own configuration. `{gateway}` is where the router's requests come
/// from: only from there is X-Forwarded-For believed.
const APACHE_CONF: &str = r#"
ServerName localhost
Listen {https}
ServerTokens Prod
ServerSignature Off
TraceEnable Off
<IfModule !rewrite_module>
    LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
</IfModule>
<IfModule !headers_module>
    LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
</IfModule>
<IfModule !expires_module>
    LoadModule expires_module /usr/lib/apache2/modules/mod_expires.so
</IfModule>
<IfModule !remoteip_module>
    LoadModule remoteip_module /usr/lib/apache2/modules/mod_remoteip.so
</IfModule>
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy {gateway}
SetEnvIf X-Forwarded-Proto ^https$ HTTPS=on
# Apache wakes idle workers by requests to itself, over what it listens on last. Here they are in
# no log, where visitors are.
Listen 127.0.0.1:60080
Mutex pthread mpm-accept
<VirtualHost 127.0.0.1:60080>
    CustomLog /dev/null common
</VirtualHost>
# Workers that wait for the next request of a browser do nothing else meanwhile.
KeepAliveTimeout 2
ServerLimit 150
StartServers 2
MinSpareServers 1
MaxSpareServers 4
MaxConnectionsPerChild 2000
<Directory /var/www/html>
    AllowOverride All
    Require all granted
    # PHP drops what is larger without a word. What says how large it is is answered before it runs.
    LimitRequestBody {body}
    ErrorDocument 413 "<!doctype html><title>Too large</title><h1>Too large</h1><p>What is sent to this site in one request can have up to {limit}. This was more, and nothing of it was kept."
</Directory>
{large}<DirectoryMatch /\.(?!well-known)>
    Require all denied
</DirectoryMatch>
<FilesMatch ^\.(?!well-known)>
    Require all denied
</FilesMatch>
"#;

/// Put into the configuration where there is a limit: `-gt` compares numbers of any length.
const TOO_LARGE: &str = r#"<Directory /var/www/html>
    <If "%{HTTP:Content-Length} -gt {body}">
        Redirect 413
    </If>
</Directory>
"#;

/// Counts workers from the memory limit the container really has, so that a limit changed in place
/// is followed at the next start: 24 MB each after 32 MB for Apache itself, 3 to 150.
const START: &str = r#"
limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null) ||
    limit=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null) || limit=max
case $limit in
    '' | *[!0-9]* | ?????????????*) workers=150 ;;
    *) workers=$(( (limit / 1048576 - 32) / 24 )) ;;
esac
[ "$workers" -ge 3 ] || workers=3
[ "$workers" -le 150 ] || workers=150
# What a script that was killed had been sent.
find /var/uploads -type f -mmin +1440 -delete 2>/dev/null
# The image's own server once more, for visitors of https://.
https=/run/apache2/ostler-https.conf
sed -n '/^[[:space:]]*<VirtualHost .*:80>/,/<\/VirtualHost>/ {
    s/:80>/:{https}>\nServerName https:\/\/localhost:443/
    s/^\([[:space:]]*ServerName[[:space:]][[:space:]]*\)\(http:\/\/\)*\([^:[:space:]]*\).*/\1https:\/\/\3:443/
    p
}' "${APACHE_CONFDIR:-/etc/apache2}"/sites-enabled/*.conf >$https || :
[ -s $https ] || printf '<VirtualHost *:{https}>\nServerName https://localhost:443\n</VirtualHost>\n' >$https
exec apache2-foreground -c "Include /etc/ostler/apache/*.conf" -c "Include $https" -c "MaxRequestWorkers $workers" "$@"
"#;

/// What a server in production says about itself and its errors; the site's own `ini` comes after.
const PHP_INI: &str = "\
expose_php = Off
display_errors = Off
log_errors = On
upload_tmp_dir = /var/uploads
";

/// Where requests' bodies are until a script has dealt with them: not in memory, of which they would
/// take from the site's own.
const UPLOADS: &str = "/var/uploads";

/// The image of a version of PHP.
pub(super) fn image(images: &Images, version: &str) -> String {
    images.php.replace("{php}", version)
}

pub(super) fn container(
    site: &Site,
    uid: u32,
    setting: &Setting,
    version: &str,
    ini: &BTreeMap<String, String>,
) -> Wanted {
    let mut spec = base(site, uid, setting, image(setting.images, version));
    let https = HTTPS.to_string();
    let uploads = Uploads::of(ini);
    let mut conf = apache_conf(uploads)
        .replace("{gateway}", &setting.gateway.to_string())
        .replace("{https}", &https);
    if !site.serve_source {
        let names = format!(r"(?i)(?:{SOURCE}{COPY}?|\.php{COPY})$");
        conf.push_str(&format!(
            "<FilesMatch \"{names}\">\n    Require all denied\n</FilesMatch>\n"
        ));
    }
    spec.files.insert("apache/ostler.conf".into(), conf);
    let php_ini = format!("{PHP_INI}{}", uploads.lines());
    spec.files.insert("php/10-ostler.ini".into(), php_ini);
    if !ini.is_empty() {
        spec.files.insert("php/20-site.ini".into(), ini_text(ini));
    }
    spec.files_at = Some(FILES_AT.into());
    // A leading colon keeps the image's own folder in front.
    spec.env
        .insert("PHP_INI_SCAN_DIR".into(), ":/etc/ostler/php".into());
    // Virtual hosts take these from before they are read, which is before what `-c` includes.
    let first = [
        format!("LimitRequestLine {SERVER_HEAD}"),
        format!("LimitRequestFieldSize {SERVER_HEAD}"),
        format!("LimitRequestFields {SERVER_FIELDS}"),
    ];
    let start = START.trim().replace("{https}", &https);
    let mut command = words(&["sh", "-c", &start, "ostler-php"]);
    command.extend(first.into_iter().flat_map(|line| ["-C".to_owned(), line]));
    spec.command = Some(command);
    let uploads = Bind {
        host: setting.layout.uploads(&site.name),
        inside: UPLOADS.to_owned(),
        read_only: false,
    };
    spec.binds = vec![www(site, setting, "/var/www/html", false), uploads];
    spec.tmpfs
        .extend(["/run/apache2", "/run/lock/apache2"].map(memory_folder));
    spec.read_only = true;
    // SIGTERM would cut running requests, SIGWINCH lets them finish.
    spec.stop_signal = Some("SIGWINCH".into());
    spec.stop_grace_s = 30;
    Wanted {
        spec,
        port: 80,
        https: Some(HTTPS),
        serves_www: true,
    }
}

fn apache_conf(uploads: Uploads) -> String {
    let large = match uploads.body {
        0 => "",
        _ => TOO_LARGE,
    };
    APACHE_CONF
        .replace("{large}", large)
        .replace("{body}", &uploads.body.to_string())
        .replace("{limit}", &format_size(uploads.body))
}

/// php.ini lines. What php.ini would read as something else than the text is put in quotes;
/// expressions of its constants (`E_ALL & ~E_NOTICE`) are not.
fn ini_text(ini: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (key, value) in ini {
        let plain = value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._/:,-+".contains(c));
        let constants = value.starts_with("E_")
            && value
                .chars()
                .all(|c| c.is_ascii_uppercase() || "_ &|~^()".contains(c));
        let value = if plain || constants {
            value.clone()
        } else {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{escaped}\"")
        };
        text.push_str(&format!("{key} = {value}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ini_values_mean_what_they_say() {
        let ini = [
            ("upload_max_filesize", "64M"),
            ("error_reporting", "E_ALL & ~E_DEPRECATED"),
            ("date.timezone", "Europe/Paris"),
            ("mail.log", "a;b"),
            ("x", "say \"hi\""),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(
            ini_text(&BTreeMap::from(ini)),
            "date.timezone = Europe/Paris\n\
             error_reporting = E_ALL & ~E_DEPRECATED\n\
             mail.log = \"a;b\"\n\
             upload_max_filesize = 64M\n\
             x = \"say \\\"hi\\\"\"\n"
        );
    }
}
