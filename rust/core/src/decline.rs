//! Reasons for which a native function declines: hands a call back to its original.

/// The reason for which native code hands a call back to the Python original.
///
/// The discriminants index the counters of a route, so they are dense and start at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Decline {
    /// `SKYPILOT_USE_RUST` is off.
    Switch,
    /// The route was disabled while somebody still held its proxy.
    Disabled,
    /// Something that the original reads was replaced.
    Guard,
    /// The call does not fit the original's signature.
    Arguments,
    /// An argument has a type that only the original handles.
    Type,
    /// An argument has a value that only the original handles.
    Value,
    /// A system call failed; the original says how.
    Os,
    /// The path is no regular file (a pipe, a device, a directory).
    SpecialFile,
    /// The file changed while it was read.
    Changed,
    /// The text can't be decoded as asked.
    Decode,
    /// The original would emit a log record.
    Logging,
    /// The machine presents itself in a way that the native code doesn't know.
    Platform,
    /// The native code panicked.
    Panic,
    /// A registered candidate returned `NotImplemented`.
    Candidate,
    /// A signal handler raised; no original runs, the exception goes up.
    Interrupted,
    /// A registered candidate raised an exception, which is more often a mistake than a decline.
    CandidateRaised,
    /// A debugger was attached when the guards were looked at; it shows the original.
    Debugger,
}

impl Decline {
    /// Every reason, in the order of the discriminants.
    pub const ALL: [Self; 17] = [
        Self::Switch,
        Self::Disabled,
        Self::Guard,
        Self::Arguments,
        Self::Type,
        Self::Value,
        Self::Os,
        Self::SpecialFile,
        Self::Changed,
        Self::Decode,
        Self::Logging,
        Self::Platform,
        Self::Panic,
        Self::Candidate,
        Self::Interrupted,
        Self::CandidateRaised,
        Self::Debugger,
    ];

    /// The name under which the status reports this reason.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Disabled => "disabled",
            Self::Guard => "guard",
            Self::Arguments => "arguments",
            Self::Type => "type",
            Self::Value => "value",
            Self::Os => "os-error",
            Self::SpecialFile => "special-file",
            Self::Changed => "file-changed",
            Self::Decode => "decode",
            Self::Logging => "logging",
            Self::Platform => "platform",
            Self::Panic => "panic",
            Self::Candidate => "candidate",
            Self::Interrupted => "interrupted",
            Self::Debugger => "debugger",
            Self::CandidateRaised => "candidate-raised",
        }
    }
}

/// What a native function gives back.
pub type NativeResult<T> = Result<T, Decline>;

#[cfg(test)]
mod tests {
    use super::Decline;

    #[test]
    fn discriminants_are_the_positions_in_all() {
        for (position, reason) in Decline::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, position);
        }
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = Decline::ALL.into_iter().map(Decline::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Decline::ALL.len());
    }
}
