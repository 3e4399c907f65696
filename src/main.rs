//! Arguments in, exit code out.

fn main() -> std::process::ExitCode {
    ostler::cli::main(std::env::args_os())
}
