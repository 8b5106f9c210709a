//! What can go wrong with a name.

use std::path::PathBuf;

use crate::HubName;

/// Why a name stands for no file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A part of the name breaks the hub's rules.
    #[error("`{text}` is no name on the hub: {rule}")]
    Name {
        /// The name as it was given.
        text: String,
        /// The broken rule.
        rule: &'static str,
    },
    /// It is not in the cache, and the network is not to be used.
    #[error("{name}: not in the cache ({})", folder.display())]
    NotCached {
        /// The name.
        name: HubName,
        /// The cache.
        folder: PathBuf,
    },
    /// The hub does not have it, or not for this user.
    #[error("{name}: the hub answers {status}")]
    Refused {
        /// The name.
        name: HubName,
        /// The status of the reply.
        status: u16,
    },
    /// The hub has it, without weights that could be loaded.
    #[error("{name}: no safetensors files; it has {found}")]
    NoWeights {
        /// The name.
        name: HubName,
        /// What it has instead.
        found: String,
    },
    /// The hub cannot be reached, or breaks off.
    #[error("{name}: {rule}")]
    Network {
        /// The name.
        name: HubName,
        /// What happened.
        rule: String,
    },
    /// The cache cannot be written or read.
    #[error(transparent)]
    File(#[from] redline_model::Error),
    /// Whoever watches has ended the download.
    #[error("interrupted")]
    Interrupted,
}

impl HubError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Name { .. } => {
                "write owner/name, owner/name@revision or owner/name:FILE; for data hf://datasets/owner/name:FILE"
            }
            Self::NotCached { .. } => {
                "leave --offline (or HF_HUB_OFFLINE) out to download it, or give a path of this machine"
            }
            Self::Refused { status: 401 | 403, .. } => {
                "accept the model's terms on the hub, and set HF_TOKEN to a token that may read it"
            }
            Self::Refused { status: 404, .. } => {
                "check the name and the revision; a path of this machine would have to exist"
            }
            Self::Refused { .. } => "try again later",
            Self::NoWeights { .. } => "name one of its GGUF files: owner/name:FILE.gguf",
            Self::Network { .. } => {
                "check the network, or HF_ENDPOINT and the proxy; what was received is kept and continued"
            }
            Self::File(_) => "set HF_HOME to a folder that can be written",
            Self::Interrupted => return None,
        })
    }
}
