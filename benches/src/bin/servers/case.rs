//! The requests of the measurements.

/// The content of every 200.
pub(crate) use coalesce_benches::bare::CONTENT;

/// The host that every server serves. The handshake chooses its certificate.
pub(crate) const SERVED: &str = "api.example.test";
/// A host with another certificate. On a connection for [`SERVED`] it is misdirected.
pub(crate) const ELSEWHERE: &str = "cdn.example.test";
/// The part of an upload that is sent before the answer. The upload never ends.
pub(crate) const UPLOAD: [u8; 1024] = [b'u'; 1024];

/// A kind of request with its right answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Case {
    /// A GET that is served.
    Served,
    /// A GET that is misdirected.
    Misdirected,
    /// A POST that is misdirected. Its body is still arriving when it is answered.
    UploadRefused,
}

impl Case {
    pub(crate) const ALL: [Self; 3] = [Self::Served, Self::Misdirected, Self::UploadRefused];
    /// The cases that h2load can send.
    pub(crate) const PLAIN: [Self; 2] = [Self::Served, Self::Misdirected];

    /// Returns the name on the command line and in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Served => "200",
            Self::Misdirected => "421",
            Self::UploadRefused => "421-upload",
        }
    }

    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Served => 200,
            Self::Misdirected | Self::UploadRefused => 421,
        }
    }

    pub(crate) const fn authority(self) -> &'static str {
        match self {
            Self::Served => SERVED,
            Self::Misdirected | Self::UploadRefused => ELSEWHERE,
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|case| case.name() == name)
    }
}
