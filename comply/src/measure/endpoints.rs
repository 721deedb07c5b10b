//! What the latest observations say about PCs and servers: one line a machine, good or not, against the dossier's count.

use std::collections::BTreeMap;

use super::{Finding, Memory, Sealed, emitters::Dossier};
use crate::Verdict;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    pub dossier: Dossier,
    /// Every machine seen, and whether it passes.
    pub machines: BTreeMap<String, bool>,
    pub sealed: Sealed,
    pub what_vi: String,
    pub what_en: String,
}

pub fn judge(input: &Input) -> Finding {
    let seen = input.machines.len() as u64;
    let whole = input.dossier.now().max(input.dossier.peak).max(seen).max(input.sealed.denominator);
    let part = input.machines.values().filter(|passes| **passes).count() as u64;
    let verdict = if seen == 0 || whole == 0 { Verdict::Blind } else { Verdict::from_share(part, whole) };
    let failing: Vec<_> = input.machines.iter().filter(|(_, passes)| !**passes).map(|(machine, _)| machine.as_str()).collect();
    let (unseen, names) = (whole - seen.min(whole), failing.iter().take(5).copied().collect::<Vec<_>>().join(", "));
    let (what_vi, what_en) = (&input.what_vi, &input.what_en);
    let (reason_vi, reason_en) = match verdict {
        Verdict::Blind => (
            "Chưa thấy máy nào của hệ thống này trong dữ liệu.".to_owned(),
            "No machine of this system was seen in the data yet.".to_owned(),
        ),
        Verdict::Met => (format!("Cả {whole} máy: {what_vi}."), format!("All {whole} machines: {what_en}.")),
        _ => (
            format!("{part}/{whole} máy: {what_vi}; không đạt: {} ({names}); chưa thấy: {unseen}.", failing.len()),
            format!("{part}/{whole} machines: {what_en}; failing: {} ({names}); not seen: {unseen}.", failing.len()),
        ),
    };
    Finding {
        value_vi: format!("{part}/{whole} máy"),
        value_en: format!("{part}/{whole} machines"),
        threshold_vi: format!("mọi máy: {what_vi}"),
        threshold_en: format!("every machine: {what_en}"),
        reason_vi,
        reason_en,
        numbers: [
            ("passing".to_owned(), part as i64),
            ("expected".to_owned(), whole as i64),
            ("seen".to_owned(), seen as i64),
            ("dossier".to_owned(), input.dossier.now() as i64),
            ("dossier_peak".to_owned(), input.dossier.peak as i64),
        ]
        .into(),
        memory: Memory { denominator: Some(whole), ..Memory::default() },
        verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::emitters::Owed;

    fn verdict(owed: u64, machines: &[(&str, bool)]) -> String {
        let dossier =
            Dossier { owed: vec![Owed { key: "r".into(), name: "r".into(), quantity: owed, in_force: true }], peak: owed };
        let machines = machines.iter().map(|(name, passes)| ((*name).to_owned(), *passes)).collect();
        judge(&Input { dossier, machines, ..Input::default() }).verdict.label_en()
    }

    #[test]
    fn the_larger_of_dossier_and_sight_is_the_whole() {
        assert_eq!(verdict(2, &[("a", true), ("b", true)]), "met");
        assert_eq!(verdict(4, &[("a", true), ("b", true)]), "partly (2/4)");
        assert_eq!(verdict(1, &[("a", true), ("b", false), ("c", false)]), "partly (1/3)");
        assert_eq!(verdict(4, &[("a", false)]), "breached");
        assert_eq!(verdict(4, &[]), "blind");
    }
}
