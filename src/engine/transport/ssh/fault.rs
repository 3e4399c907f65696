//! libssh2's errors: which mean that it would block, which end a channel, which a session.

use ssh2::ErrorCode;

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nobody needs it any more.
    Unneeded,
    /// It broke, and how.
    Broken(String),
}

fn code(error: &ssh2::Error) -> i32 {
    match error.code() {
        ErrorCode::Session(code) | ErrorCode::SFTP(code) => code,
    }
}

/// LIBSSH2_ERROR_EAGAIN.
pub(super) fn blocks(error: &ssh2::Error) -> bool {
    code(error) == -37
}

/// LIBSSH2_ERROR_TIMEOUT: no answer for a minute, which cannot be set.
pub(super) fn timed_out(error: &ssh2::Error) -> bool {
    code(error) == -9
}

/// Errors after which no channel of the session can go on: of the socket (-7, -9, -13, -30, -43,
/// -45), of the protocol and its ciphers (-4, -5, -8, -12, -14, -29, -40, -41, -44, -49, -52 … -54),
/// of memory (-6).
pub(super) fn ends_session(error: &ssh2::Error) -> bool {
    matches!(
        -code(error),
        4..=9 | 12 | 13 | 14 | 29 | 30 | 40 | 41 | 43 | 44 | 45 | 49 | 52..=54
    )
}

/// The end that an error of the session is.
pub(super) fn broken(error: &ssh2::Error) -> End {
    End::Broken(match code(error) {
        -43 | -13 => "the host closed it".to_owned(),
        -7 => "nothing can be sent to the host any more".to_owned(),
        _ => error.message().to_owned(),
    })
}
