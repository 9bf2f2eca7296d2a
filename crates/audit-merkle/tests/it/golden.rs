//! Vectors that others publish: the hashes of RFC 6962, the texts of C2SP.

use crate::common::{Tree, sequence, size};
use audit_merkle::{
    Checkpoint, CheckpointSigner, Evidence, LeafHash, NodeHash, RootHash, SignedCheckpoint,
    TreeHead, WitnessVerifier, consistency_proof, inclusion_proof,
};

fn hex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

fn hash(text: &str) -> [u8; 32] {
    hex(text).try_into().unwrap()
}

/// The inputs that the implementations of RFC 6962 test with.
const INPUTS: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// The roots of the trees of the first one, two, … of them.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn hashes_are_those_of_rfc_6962() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(RootHash::EMPTY.as_bytes(), &hash(empty));
    assert_eq!(LeafHash::of(b"").as_bytes(), &hash(ROOTS[0]));
    let l123456 = "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56";
    assert_eq!(LeafHash::of(b"L123456").as_bytes(), &hash(l123456));

    let tree = Tree::of(INPUTS.iter().map(|input| hex(input)));
    for (head, expected) in tree.heads[1..].iter().zip(ROOTS) {
        assert_eq!(head.root.as_bytes(), &hash(expected));
    }
}

#[test]
fn paths_are_those_of_rfc_6962() {
    let tree = Tree::of(INPUTS.iter().map(|input| hex(input)));
    let is = |path: &[NodeHash], expected: &[&str]| {
        let expected: Vec<_> = expected.iter().map(|h| NodeHash::from_bytes(hash(h))).collect();
        assert_eq!(path, expected);
    };
    // The sixth of eight.
    is(
        inclusion_proof(&tree.nodes, sequence(6), size(8)).unwrap().path(),
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    );
    // From six to eight.
    is(
        consistency_proof(&tree.nodes, size(6), size(8)).unwrap().path(),
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    );
}

/// The example of C2SP tlog-cosignature, with the lines of the log and of a witness.
const EXAMPLE: &str = "example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
";

#[test]
fn the_checkpoint_of_c2sp_is_read_and_printed() {
    let signed: SignedCheckpoint = EXAMPLE.parse().unwrap();
    assert_eq!(signed.to_string(), EXAMPLE);
    let checkpoint = signed.unverified();
    assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
    assert_eq!(checkpoint.size().get(), 20_852_163);
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=".parse().unwrap();
    let head = TreeHead { size: size(20_852_163), root };
    assert_eq!(checkpoint, &Checkpoint::new("example.com/behind-the-sofa", head).unwrap());
    let extended = format!("{checkpoint}a line of an extension\n");
    assert_eq!(extended.parse::<Checkpoint>().unwrap().to_string(), extended);
}

/// A key, a text and its signature, of the tests of Go's `sumdb/note`.
#[test]
fn a_key_and_its_signature_are_those_of_signed_note() {
    let key = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let signer: CheckpointSigner = key.parse().unwrap();
    assert_eq!(signer.secret_text(), key);
    let public = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(signer.verifier().to_string(), public);
    assert!(!format!("{signer:?}").contains("AYEK"));
}

#[test]
fn the_key_of_a_witness_is_that_of_tlog_cosignature() {
    let key = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
    let witness: WitnessVerifier = key.parse().unwrap();
    assert_eq!(witness.name(), "remora.n621.de");
    for bad in [
        &key.replace("da77ade7", "da77ade8"),
        &key.replace("da77ade7", "DA77ADE7"),
        &key.replace("remora", "remura"),
        "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6", // a log's, not a witness's
        "rekor.sigstore.dev+12345678+AwEB",
        "",
    ] {
        assert!(bad.parse::<WitnessVerifier>().is_err(), "{bad}");
    }
}

#[test]
fn a_proof_of_something_else_is_no_evidence() {
    // Valid as C2SP has it, of an entry that is not given.
    let text = format!("c2sp.org/tlog-proof@v1\nindex 0\n\n{EXAMPLE}");
    let error = text.parse::<Evidence>().unwrap_err();
    assert_eq!(error.field(), Some("extra"));
}
