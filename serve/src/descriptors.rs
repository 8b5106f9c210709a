//! File descriptors: every connection of a client needs one, and another one for its upstream connection.

/// Descriptors beside those of connections: files, the runtime, the proxy's, standard streams.
const OTHERS: u64 = 64;

/// Lets the process have as many as its connections need, as far as the system allows it, and says where it does not.
pub(super) fn allow(most_connections: usize) {
    let needed = 2 * most_connections as u64 + OTHERS;
    if let Some(allowed) = raise(needed).filter(|allowed| *allowed < needed) {
        tracing::warn!(
            target: "redline::server",
            "{most_connections} connections (--max-connections) need {needed} open files, and the system allows {allowed} (ulimit -n)"
        );
    }
}

/// Raises the limit of open files to `needed`, or as far as it may be; the limit then, where it is known.
#[cfg(unix)]
fn raise(needed: u64) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a value of this type, which lives through the call
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return None;
    }
    if limit.rlim_cur < needed {
        let before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max.min(needed);
        // SAFETY: the same, and the call only reads it
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
            limit.rlim_cur = before;
        }
    }
    Some(limit.rlim_cur)
}

#[cfg(not(unix))]
fn raise(_: u64) -> Option<u64> {
    None
}
