//! Boolean expressions over predicates, and the flat programs they become.
//!
//! A program is a list of operations on one accumulator, with jumps for short circuits:
//!
//! ```text
//! a and (b or not c)   ▶   test a · jump-if-false 6 · test b · jump-if-true 6 · test c · not ·
//! ```

use crate::predicate::PredicateId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    Test(PredicateId),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Test(PredicateId),
    Not,
    JumpIfFalse(u32),
    JumpIfTrue(u32),
}

#[derive(Clone, Debug, Default)]
pub struct Program(Box<[Op]>);

impl Program {
    pub fn new(expr: &Expr) -> Self {
        let mut ops = Vec::new();
        emit(expr, &mut ops);
        Self(ops.into())
    }

    /// Runs the program; `test` answers for one predicate.
    pub fn run(&self, mut test: impl FnMut(PredicateId) -> bool) -> bool {
        let mut accumulator = false;
        let mut at = 0;
        while let Some(op) = self.0.get(at) {
            at += 1;
            match *op {
                Op::Test(predicate) => accumulator = test(predicate),
                Op::Not => accumulator = !accumulator,
                Op::JumpIfFalse(to) if !accumulator => at = to as usize,
                Op::JumpIfTrue(to) if accumulator => at = to as usize,
                Op::JumpIfFalse(_) | Op::JumpIfTrue(_) => {}
            }
        }
        accumulator
    }

    pub fn predicates(&self) -> impl Iterator<Item = PredicateId> {
        self.0.iter().filter_map(|op| match op {
            Op::Test(predicate) => Some(*predicate),
            _ => None,
        })
    }
}

fn emit(expr: &Expr, ops: &mut Vec<Op>) {
    match expr {
        Expr::Test(predicate) => ops.push(Op::Test(*predicate)),
        Expr::Not(inner) => {
            emit(inner, ops);
            ops.push(Op::Not);
        }
        Expr::And(parts) => chain(parts, ops, Op::JumpIfFalse),
        Expr::Or(parts) => chain(parts, ops, Op::JumpIfTrue),
    }
}

fn chain(parts: &[Expr], ops: &mut Vec<Op>, jump: fn(u32) -> Op) {
    let mut jumps = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        emit(part, ops);
        if i + 1 < parts.len() {
            jumps.push(ops.len());
            ops.push(jump(0));
        }
    }
    let end = ops.len() as u32;
    for at in jumps {
        ops[at] = jump(end);
    }
}

/// A set of predicates one of which is true whenever the expression is; `None` when there is no such set.
///
/// `cost` says how often a predicate is expected to be true; `None` = it cannot be a witness.
pub fn witness(expr: &Expr, cost: &impl Fn(PredicateId) -> Option<f32>) -> Option<Vec<PredicateId>> {
    weigh(expr, cost).map(|(mut set, _)| {
        set.sort_unstable();
        set.dedup();
        set
    })
}

fn weigh(expr: &Expr, cost: &impl Fn(PredicateId) -> Option<f32>) -> Option<(Vec<PredicateId>, f32)> {
    match expr {
        Expr::Test(predicate) => cost(*predicate).map(|cost| (vec![*predicate], cost)),
        Expr::Not(_) => None,
        Expr::And(parts) => parts.iter().filter_map(|part| weigh(part, cost)).min_by(|(_, a), (_, b)| a.total_cmp(b)),
        Expr::Or(parts) => {
            let mut all = (Vec::new(), 0.0);
            for part in parts {
                let (set, cost) = weigh(part, cost)?;
                all.0.extend(set);
                all.1 += cost;
            }
            (!all.0.is_empty()).then_some(all)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seed: &mut u64, depth: u32) -> Expr {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let pick = (*seed >> 33) as u32;
        match pick % if depth == 0 { 1 } else { 4 } {
            0 => Expr::Test(pick / 4 % 6),
            1 => Expr::Not(Box::new(sample(seed, depth - 1))),
            kind => {
                let parts = (0..1 + pick / 8 % 3).map(|_| sample(seed, depth - 1)).collect();
                if kind == 2 { Expr::And(parts) } else { Expr::Or(parts) }
            }
        }
    }

    fn truth(expr: &Expr, bits: u32) -> bool {
        match expr {
            Expr::Test(predicate) => bits >> predicate & 1 == 1,
            Expr::Not(inner) => !truth(inner, bits),
            Expr::And(parts) => parts.iter().all(|part| truth(part, bits)),
            Expr::Or(parts) => parts.iter().any(|part| truth(part, bits)),
        }
    }

    #[test]
    fn programs_say_what_expressions_say_and_witnesses_never_miss() {
        let mut seed = 7;
        for _ in 0..500 {
            let expr = sample(&mut seed, 4);
            let program = Program::new(&expr);
            let witness = witness(&expr, &|predicate| Some(predicate as f32));
            for bits in 0..64 {
                let expected = truth(&expr, bits);
                assert_eq!(program.run(|predicate| bits >> predicate & 1 == 1), expected, "{expr:?} on {bits:b}");
                if let (true, Some(witness)) = (expected, &witness) {
                    assert!(witness.iter().any(|predicate| bits >> predicate & 1 == 1), "{expr:?} on {bits:b}");
                }
            }
        }
    }
}
