//! What is asked of a server.

/// The content of every 200.
pub(crate) use coalesce_benches::bare::CONTENT;

/// The host that every server serves, and whose certificate the handshake chooses.
pub(crate) const SERVED: &str = "api.example.test";
/// A host with another certificate: on a connection for [`SERVED`] it is misdirected.
pub(crate) const ELSEWHERE: &str = "cdn.example.test";
/// What an upload sends before it is answered; its end never comes.
pub(crate) const UPLOAD: [u8; 1024] = [b'u'; 1024];

/// One kind of request, and its right answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Case {
    /// A GET that is served.
    Served,
    /// A GET that is misdirected.
    Misdirected,
    /// A POST that is misdirected and whose body is still coming when it is answered.
    UploadRefused,
}

impl Case {
    pub(crate) const ALL: [Self; 3] = [Self::Served, Self::Misdirected, Self::UploadRefused];
    /// Those that h2load can send.
    pub(crate) const PLAIN: [Self; 2] = [Self::Served, Self::Misdirected];

    /// As on the command line and in tables.
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
