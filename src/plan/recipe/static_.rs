//! `static`: nginx serves the site's `www`, which it can only read.

use super::base::{COPY, FILES_AT, SOURCE, Setting, Wanted, base, words, www};
use crate::fleet::Site;
use crate::record::route::SERVER_HEAD;

/// Complete, so that nothing of the image's own configuration takes part; everything nginx writes
/// lies in memory. `{gateway}` is where the router's requests come from: only from there is
/// X-Forwarded-For believed.
const NGINX_CONF: &str = "\
worker_processes 1;
pid /tmp/nginx.pid;
error_log /dev/stderr warn;
events { worker_connections 1024; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /dev/stdout combined;
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    server_tokens off;
    large_client_header_buffers 4 {head};
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 65;
    gzip on;
    gzip_vary on;
    gzip_min_length 1024;
    gzip_types text/plain text/css text/xml application/javascript application/json
        application/xml application/rss+xml application/manifest+json image/svg+xml;
    set_real_ip_from {gateway};
    real_ip_header X-Forwarded-For;
    # A redirect to a folder must not name our own port or scheme.
    absolute_redirect off;
    server {
        listen 80 default_server;
        root /usr/share/nginx/html;
        index index.html index.htm;
        location ~ /\\.(?!well-known/) { return 404; }
{source}    }
}
";

pub(super) fn container(site: &Site, uid: u32, setting: &Setting) -> Wanted {
    let mut spec = base(site, uid, setting, setting.images.static_.clone());
    // `deny` says in the log what was refused.
    let source = match site.serve_source {
        true => String::new(),
        false => format!("        location ~* \"(?:\\.php|{SOURCE}){COPY}?$\" {{ deny all; }}\n"),
    };
    let conf = NGINX_CONF
        .replace("{gateway}", &setting.gateway.to_string())
        .replace("{head}", &SERVER_HEAD.to_string())
        .replace("{source}", &source);
    spec.files.insert("nginx.conf".into(), conf);
    spec.files_at = Some(FILES_AT.into());
    // The image's own start script would edit files that this user cannot write.
    spec.entrypoint = Some(words(&["nginx"]));
    spec.command = Some(words(&[
        "-c",
        "/etc/ostler/nginx.conf",
        "-e",
        "/dev/stderr",
        "-g",
        "daemon off;",
    ]));
    spec.binds = vec![www(site, setting, "/usr/share/nginx/html", true)];
    spec.read_only = true;
    spec.stop_signal = Some("SIGQUIT".into());
    Wanted {
        spec,
        port: 80,
        https: None,
        serves_www: true,
    }
}
