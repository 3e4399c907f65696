//! Every screen at three sizes, with styles.

use insta::assert_snapshot;

use super::fixture::{many, three};
use crate::console::harness::{App, Setup, styled};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 35), (200, 50)];

fn each_size(name: &str, open: impl Fn(&mut App)) {
    for size in SIZES {
        let mut app = three(Setup {
            size,
            ..Setup::default()
        });
        open(&mut app);
        assert_snapshot!(
            format!("{name}_{}x{}", size.0, size.1),
            styled(&app.frame())
        );
    }
}

#[test]
fn sites() {
    each_size("sites", |_| {});
}

#[test]
fn three_thousand_sites() {
    for size in SIZES {
        let app = many(
            3000,
            Setup {
                size,
                ..Setup::default()
            },
        );
        assert_snapshot!(
            format!("sites_3000_{}x{}", size.0, size.1),
            styled(&app.frame())
        );
    }
}

#[test]
fn hosts() {
    each_size("hosts", |app| {
        app.press("2");
    });
}

#[test]
fn site_page() {
    each_size("site", |app| {
        app.press("enter");
    });
}

#[test]
fn plan() {
    each_size("plan", |app| {
        app.press("p");
    });
}

#[test]
fn help() {
    each_size("help", |app| {
        app.press("?");
    });
}

#[test]
fn palette() {
    each_size("palette", |app| {
        app.press(": a r");
    });
}

#[test]
fn form() {
    each_size("form", |app| {
        app.press("C").type_text("Shop").press("tab");
    });
}

#[test]
fn other_themes() {
    for theme in ["light", "ansi16", "mono"] {
        let app = three(Setup {
            theme,
            on_call: true,
            ..Setup::default()
        });
        assert_snapshot!(format!("theme_{theme}"), styled(&app.frame()));
    }
}
