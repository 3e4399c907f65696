//! `ostler man`

use clap_mangen::Man;

use super::out::Out;
use super::{Exit, Failure, options};

/// Writes the manual page: the program's own, then a section for each command.
pub fn run(out: &Out) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    let written = render(&mut page);
    written.map_err(|error| Failure::caused("cannot write the manual page", &error))?;
    out.bytes(&page)?;
    Ok(Exit::Done)
}

fn render(page: &mut Vec<u8>) -> std::io::Result<()> {
    let mut command = options::command();
    command.build();
    let man = Man::new(command.clone());
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    page.extend_from_slice(b".SH COMMANDS\n");
    for sub in command.get_subcommands() {
        describe(sub, "ostler", page)?;
    }
    page.extend_from_slice(EXIT_STATUS.as_bytes());
    Ok(())
}

fn describe(command: &clap::Command, parent: &str, page: &mut Vec<u8>) -> std::io::Result<()> {
    if command.get_name() == "help" || command.is_hide_set() {
        return Ok(());
    }
    let name = format!("{parent} {}", command.get_name());
    if command.get_subcommands().any(|c| c.get_name() != "help") {
        for sub in command.get_subcommands() {
            describe(sub, &name, page)?;
        }
        return Ok(());
    }
    page.extend_from_slice(format!(".SS {name}\n").as_bytes());
    let man = Man::new(command.clone());
    let mut section = Vec::new();
    man.render_synopsis_section(&mut section)?;
    man.render_description_section(&mut section)?;
    man.render_options_section(&mut section)?;
    // Sections of their own on a page of their own; here they are parts of one command's section.
    let section = String::from_utf8_lossy(&section);
    for line in section.lines() {
        let line = match line {
            ".SH SYNOPSIS" | ".SH DESCRIPTION" | ".SH OPTIONS" => ".PP",
            line => line,
        };
        page.extend_from_slice(line.as_bytes());
        page.push(b'\n');
    }
    Ok(())
}

const EXIT_STATUS: &str = r".SH EXIT STATUS
.TP
0
done, or nothing to do
.TP
1
an error, of usage too
.TP
2
\fBplan\fR found changes, \fBdrift\fR differences, \fBstatus\fR something that is not well
.TP
3
partial: some sites were applied, others failed; or not all could be looked at
.SH ENVIRONMENT
.TP
OSTLER_FLEET
the fleet file, where \fB\-\-fleet\fR does not say
.TP
OSTLER_READ_ONLY
when 1: on\-call mode, as \fB\-\-read\-only\fR
.TP
OSTLER_SSH_CONFIG
the ssh_config for ssh:// hosts, as \fBssh \-F\fR
.TP
NO_COLOR
when not empty: no colours
";
