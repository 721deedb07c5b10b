//! The data fields that ECS aliases are made of, remembered while a record is read.

use std::sync::LazyLock;

use crate::{ecs, keys::KeyTable};

macro_rules! slots {
    ($($slot:ident),* $(,)?) => {
        /// A data field by its name in the event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(clippy::upper_case_acronyms)]
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
    ParentProcessGUID,
    UtcTime,
    RuleName,
    QueryResults,
    SourceIsIpv6,
    PipeName,
    TargetProcessId,
    Device,
    NewName,
    Consumer,
    Name,
    Signature,
    SignatureStatus,
    Signed,
    Description,
    FileVersion,
    Company,
    Product,
    OriginalFileName,
    Contents,
    ContextInfo,
    ScriptBlockText,
    Payload,
    UserId,
    UserName,
    ClientPort,
    ObjectType,
    ObjectValueName,
    NewValue,
    OldValue,
    ServiceType,
    Direction,
    PrivilegeList,
    CallerProcessId,
    CallerProcessName,
    ClientProcessId,
    ProcessPath,
    TaskInstanceId,
    ActionName,
    Param,
    SessionID,
    SessionId,
    SubjectLogonId,
    TargetLogonId,
    LogonGuid,
    Domain,
    NewTime,
    ApplicationPath,
    RuleId,
    ModifyingUser,
    ModifyingApplication,
    LocalAddresses,
    RemoteAddresses,
    LocalPorts,
    RemotePorts,
    QNAME,
    QTYPE,
    Source,
    Destination,
    RCODE,
    TCP,
    Zone,
    NAME,
    Type,
    FilePath,
    FullFilePath,
    FileHash,
    TargetUser,
    ThreatID,
    CategoryName,
    SeverityName,
    DetectionTime,
    SourceName,
    NewSd,
    TargetOutboundUserName,
    TargetOutboundDomainName,
    FailureCode,
    ClientIP,
    ClientMachine,
    Operation,
    PossibleCause,
    ShareLocalPath,
    AccountDomain,
    NewUacValue,
    UserContext,
    DestinationPortName,
    Requester,
);

static TABLE: LazyLock<KeyTable<Slot>> = LazyLock::new(|| KeyTable::new(NAMES));

/// The remembered values of one record.
#[derive(Clone, Debug)]
pub struct Data<'r> {
    values: [Option<&'r str>; NAMES.len()],
    /// Unnamed data in order, as many as the tables use.
    unnamed: [&'r str; UNNAMED_MAX],
    unnamed_len: usize,
}

/// Unnamed values that are remembered.
const UNNAMED_MAX: usize = 16;

impl Default for Data<'_> {
    fn default() -> Self {
        Self { values: [None; NAMES.len()], unnamed: [""; UNNAMED_MAX], unnamed_len: 0 }
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

    /// Remembers an unnamed value by its place.
    pub fn note_unnamed(&mut self, value: &'r str) {
        if self.unnamed_len < UNNAMED_MAX {
            self.unnamed[self.unnamed_len] = value;
            self.unnamed_len += 1;
        }
    }

    /// The unnamed values.
    pub fn unnamed(&self) -> &[&'r str] {
        &self.unnamed[..self.unnamed_len]
    }

    /// True when no data field has been met that ECS wants.
    pub fn is_empty(&self) -> bool {
        self.unnamed_len == 0 && self.values.iter().all(Option::is_none)
    }

    pub fn get(&self, slot: Slot) -> Option<&'r str> {
        self.values[slot as usize]
    }

    /// The first of several fields that has a value.
    pub fn first(&self, slots: &[Slot]) -> Option<&'r str> {
        slots.iter().find_map(|slot| self.get(*slot))
    }
}
