//! The data fields that ECS aliases are made of, remembered while a record is read.

use std::sync::LazyLock;

use crate::{ecs, keys::KeyTable};

macro_rules! slots {
    ($($slot:ident),* $(,)?) => {
        /// A data field by its name in the event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Slot { $($slot),* }

        const NAMES: &[(&str, Slot)] = &[$((stringify!($slot), Slot::$slot)),*];
    };
}

slots!(
    Application,
    CallingProcessName,
    CommandLine,
    CurrentDirectory,
    Data,
    DestAddress,
    DestPort,
    DestinationHostname,
    DestinationIp,
    DestinationPort,
    Details,
    DetectionUser,
    FailureReason,
    GroupName,
    Hashes,
    HostApplication,
    Image,
    ImageLoaded,
    ImagePath,
    Initiated,
    IpAddress,
    IpPort,
    LogonType,
    MemberName,
    MemberSid,
    NewProcessId,
    NewProcessName,
    NewTargetUserName,
    OldTargetUserName,
    ObjectName,
    ParentCommandLine,
    ParentImage,
    ParentProcessGuid,
    ParentProcessId,
    ParentProcessName,
    Path,
    ProcessGuid,
    ProcessId,
    ProcessName,
    Protocol,
    QueryName,
    QueryStatus,
    RelativeTargetName,
    ServiceFileName,
    ServiceName,
    ShareName,
    SourceAddress,
    SourceHostname,
    SourceImage,
    SourceIp,
    SourcePort,
    SourceProcessGUID,
    SourceProcessId,
    Status,
    SubjectDomainName,
    SubjectUserName,
    SubjectUserSid,
    SubStatus,
    TargetDomainName,
    TargetFilename,
    TargetObject,
    TargetServerName,
    TargetSid,
    TargetUserName,
    TargetUserSid,
    TaskName,
    ThreatName,
    User,
    UserID,
    Workstation,
    WorkstationName,
    ClientAddress,
    ClientName,
    AccountName,
    Address,
    Param1,
    Param2,
    Param3,
    SourceProcessGuid,
    TargetImage,
    ScriptName,
    ParentUser,
);

static TABLE: LazyLock<KeyTable<Slot>> = LazyLock::new(|| KeyTable::new(NAMES));

/// The remembered values of one record.
#[derive(Clone, Debug)]
pub struct Data<'r> {
    values: [Option<&'r str>; NAMES.len()],
}

impl Default for Data<'_> {
    fn default() -> Self {
        Self { values: [None; NAMES.len()] }
    }
}

impl<'r> Data<'r> {
    /// Remembers a value; the last one wins, marks for "nothing" do not count.
    pub fn note(&mut self, key: &str, value: &'r str) {
        if let Some(slot) = TABLE.get(key)
            && !ecs::is_nothing(value)
        {
            self.values[slot as usize] = Some(value);
        }
    }

    pub fn get(&self, slot: Slot) -> Option<&'r str> {
        self.values[slot as usize]
    }

    /// The first of several fields that has a value.
    pub fn first(&self, slots: &[Slot]) -> Option<&'r str> {
        slots.iter().find_map(|slot| self.get(*slot))
    }
}
