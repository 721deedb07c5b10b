//! Evidence packets: the rows of one system and span, with what proves them. Format and check; the store packs.
//!
//! ```text
//! manifest.json          what, whose, since when; size and BLAKE3 of every other file
//! rows/0001.parquet …    the rows, all columns, for any engine
//! proof/chain.jsonl      for each root that covers rows: the blocks it signs; leaves of others by their hash only
//! proof/roots.jsonl      every root from the first of them to the last there is, and changes of the key
//! proof/anchors.jsonl    receipts of those who took roots
//! public-key.txt · report.html
//! ```

mod check;

use serde::{Deserialize, Serialize};

pub use check::{PacketReport, check};

use crate::{
    Hash,
    block::Block,
    journal::KeyChange,
    leaf::{Class, Leaf},
    root::SignedRoot,
};

pub const FORMAT: u32 = 1;
pub const MANIFEST: &str = "manifest.json";
pub const CHAIN: &str = "proof/chain.jsonl";
pub const ROOTS: &str = "proof/roots.jsonl";
pub const ANCHORS: &str = "proof/anchors.jsonl";
pub const PUBLIC_KEY: &str = "public-key.txt";
pub const REPORT: &str = "report.html";

/// One file of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub path: String,
    pub bytes: u64,
    #[serde(with = "crate::codec::hex")]
    pub blake3: Hash,
}

/// What a packet says of itself. Not signed: everything that matters follows from the signed roots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub program: String,
    pub node: String,
    pub system: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Span of `event.ingested` that was asked for, microseconds; rows come in whole leaves and may reach beyond it.
    pub received: (i64, i64),
    pub exported_at: i64,
    pub exported_by: String,
    pub reason: String,
    pub rows: u64,
    pub leaves: u64,
    /// Leaves in the span that are not here, because no root is signed over them yet, or because retention has removed rows.
    pub leaves_unsigned: u64,
    pub leaves_incomplete: u64,
    pub files: Vec<FileEntry>,
}

/// A leaf in the chain: shown, or by its hash only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ShownLeaf {
    Shown {
        system: String,
        dataset: String,
        skewed: bool,
        rows: u64,
        #[serde(with = "crate::codec::hex")]
        content: Hash,
    },
    Hidden {
        #[serde(with = "crate::codec::hex")]
        hash: Hash,
    },
}

impl ShownLeaf {
    pub fn shown(leaf: &Leaf) -> Self {
        let Class { system, dataset, skewed } = leaf.class.clone();
        Self::Shown { system, dataset, skewed, rows: leaf.rows, content: leaf.content }
    }

    pub fn hidden(leaf: &Leaf) -> Self {
        Self::Hidden { hash: leaf.hash() }
    }

    /// The leaf, where it is shown.
    pub fn leaf(&self) -> Option<Leaf> {
        match self {
            Self::Shown { system, dataset, skewed, rows, content } => {
                let class = Class { system: system.clone(), dataset: dataset.clone(), skewed: *skewed };
                Some(Leaf { class, rows: *rows, content: *content })
            }
            Self::Hidden { .. } => None,
        }
    }

    pub fn hash(&self) -> Hash {
        match self {
            Self::Hidden { hash } => *hash,
            Self::Shown { .. } => self.leaf().map_or([0; 32], |leaf| leaf.hash()),
        }
    }
}

/// A line of `proof/chain.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum ChainLine {
    /// Where the chain stood behind the root before: the start of a span that ends with a root.
    From {
        #[serde(with = "crate::codec::hex")]
        chain: Hash,
    },
    Block {
        after: u64,
        through: u64,
        ingested: (i64, i64),
        unplaced: u64,
        leaves: Vec<ShownLeaf>,
    },
    /// Anything else that is chained.
    Other {
        #[serde(with = "crate::codec::hex")]
        node: Hash,
    },
    /// The root that signs what stands above.
    Root {
        number: u64,
        #[serde(with = "crate::codec::hex")]
        hash: Hash,
    },
}

impl ChainLine {
    /// A block of which some leaves are shown.
    pub fn block(block: &Block, is_shown: impl Fn(&Leaf) -> bool) -> Self {
        let shown = |leaf: &Leaf| if is_shown(leaf) { ShownLeaf::shown(leaf) } else { ShownLeaf::hidden(leaf) };
        Self::Block {
            after: block.after,
            through: block.through,
            ingested: block.ingested,
            unplaced: block.unplaced,
            leaves: block.leaves.iter().map(shown).collect(),
        }
    }
}

/// A line of `proof/roots.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum RootLine {
    Root(SignedRoot),
    Key(KeyChange),
}
