//! The header of a GGUF file, from its first bytes: metadata and the sizes of tensors
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>). It trusts no number in it, and keeps no vocabulary.

use std::collections::BTreeMap;

/// A header with a vocabulary of 262,144 tokens and its merges has 16 MiB.
pub const MOST_HEADER: usize = 64 << 20;

const MOST_KEYS: u64 = 1024;
const MOST_TENSORS: u64 = 1 << 17;
const MOST_NAME: u64 = 65_535;
/// Longer lists are vocabularies: of those only the length is kept.
const MOST_LIST: u64 = super::keys::MOST_LAYERS;

/// What is in a header.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// Keys and values.
    pub metadata: BTreeMap<String, Value>,
    /// Tensors in the file's order: name and bytes, which are none for a type that is not known here.
    pub tensors: Vec<(String, Option<u64>)>,
    /// The types of the tensors, by how many numbers have each.
    pub types: BTreeMap<&'static str, u64>,
}

/// A value of the metadata, as far as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number; true is 1.
    Number(i64),
    /// A text.
    Text(String),
    /// A short list of whole numbers.
    List(Vec<i64>),
    /// So many values of another kind.
    Many(u64),
    /// Something that no formula needs.
    Other,
}

/// What came of reading.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// The whole header was there.
    Whole(Header),
    /// It goes on behind the bytes that were there.
    More,
}

/// Why reading ended.
enum Stop {
    More,
    Wrong(String),
}

type Result<T> = std::result::Result<T, Stop>;

fn wrong<T>(why: impl Into<String>) -> Result<T> {
    Err(Stop::Wrong(why.into()))
}

impl Header {
    /// Reads a header from the first bytes of a file.
    ///
    /// # Errors
    /// Why the bytes are no header of GGUF.
    pub fn read(bytes: &[u8]) -> std::result::Result<Read, String> {
        match header(&mut Bytes(bytes)) {
            Ok(header) => Ok(Read::Whole(header)),
            Err(Stop::More) if bytes.len() >= MOST_HEADER => {
                Err(format!("its header does not end within {} MiB", MOST_HEADER >> 20))
            }
            Err(Stop::More) => Ok(Read::More),
            Err(Stop::Wrong(why)) => Err(why),
        }
    }

    /// A number of the metadata; of a list, its largest.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        let number = match self.metadata.get(key)? {
            Value::Number(number) => *number,
            Value::List(list) => *list.iter().max()?,
            _ => return None,
        };
        u64::try_from(number).ok()
    }

    /// A text of the metadata.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn header(bytes: &mut Bytes<'_>) -> Result<Header> {
    if bytes.take(4)? != b"GGUF" {
        return wrong("it does not begin as a GGUF file does");
    }
    let version = bytes.u32()?;
    if !(2..=3).contains(&version) {
        return wrong(format!("version {version} of GGUF is not known here"));
    }
    let (tensors, keys) = (bytes.u64()?, bytes.u64()?);
    if tensors > MOST_TENSORS || keys > MOST_KEYS {
        return wrong(format!("it claims {tensors} tensors and {keys} keys"));
    }
    let mut header = Header::default();
    for _ in 0..keys {
        let key = bytes.text(MOST_NAME)?;
        let kind = bytes.u32()?;
        let value = bytes.value(kind)?;
        header.metadata.insert(key, value);
    }
    for _ in 0..tensors {
        let name = bytes.text(MOST_NAME)?;
        let numbers = bytes.shape()?;
        let kind = bytes.u32()?;
        bytes.u64()?;
        let known = TYPES.iter().find(|(number, ..)| *number == kind);
        let size = known.map(|(_, _, block, size)| numbers.div_ceil(*block).saturating_mul(*size));
        let of: &mut u64 = header.types.entry(known.map_or("?", |(_, name, ..)| name)).or_default();
        *of = of.saturating_add(numbers);
        header.tensors.push((name, size));
    }
    Ok(header)
}

/// What is still to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, many: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(many).ok_or(Stop::More)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Bytes behind their length.
    fn counted(&mut self, most: u64) -> Result<&'a [u8]> {
        let length = self.u64()?;
        match usize::try_from(length) {
            Ok(fits) if length <= most => self.take(fits),
            _ => wrong(format!("it has a text of {length} bytes")),
        }
    }

    fn text(&mut self, most: u64) -> Result<String> {
        let bytes = self.counted(most)?;
        std::str::from_utf8(bytes).map(str::to_owned).or_else(|_| wrong("a name in it is no text"))
    }

    /// How many numbers a tensor has.
    fn shape(&mut self) -> Result<u64> {
        let dimensions = self.u32()?;
        if dimensions > 8 {
            return wrong(format!("it has a tensor of {dimensions} dimensions"));
        }
        let mut numbers = 1_u64;
        for _ in 0..dimensions {
            numbers = numbers.saturating_mul(self.u64()?);
        }
        Ok(numbers)
    }

    fn value(&mut self, kind: u32) -> Result<Value> {
        match kind {
            8 => {
                // Chat templates are long, and any text may be no UTF-8.
                let text = self.counted(MOST_HEADER as u64)?;
                Ok(Value::Text(String::from_utf8_lossy(&text[..text.len().min(256)]).into_owned()))
            }
            9 => self.list(),
            _ => self.scalar(kind),
        }
    }

    fn scalar(&mut self, kind: u32) -> Result<Value> {
        Ok(Value::Number(match kind {
            0 | 7 => i64::from(self.array::<1>()?[0]),
            1 => i64::from(i8::from_le_bytes(self.array()?)),
            2 => i64::from(u16::from_le_bytes(self.array()?)),
            3 => i64::from(i16::from_le_bytes(self.array()?)),
            4 => i64::from(self.u32()?),
            5 => i64::from(i32::from_le_bytes(self.array()?)),
            6 => return self.take(4).map(|_| Value::Other),
            10 => i64::try_from(self.u64()?).unwrap_or(i64::MAX),
            11 => i64::from_le_bytes(self.array()?),
            12 => return self.take(8).map(|_| Value::Other),
            other => return wrong(format!("it has a value of the unknown type {other}")),
        }))
    }

    fn list(&mut self) -> Result<Value> {
        let (kind, many) = (self.u32()?, self.u64()?);
        match kind {
            8 => {
                for _ in 0..many {
                    self.counted(MOST_HEADER as u64)?;
                }
                Ok(Value::Many(many))
            }
            9 => wrong("it has lists of lists"),
            _ if many > MOST_LIST => {
                let size = match kind {
                    0 | 1 | 7 => 1,
                    2 | 3 => 2,
                    4..=6 => 4,
                    10..=12 => 8,
                    other => return wrong(format!("it has a value of the unknown type {other}")),
                };
                let bytes = many.checked_mul(size).and_then(|bytes| usize::try_from(bytes).ok());
                match bytes {
                    Some(bytes) => self.take(bytes).map(|_| Value::Many(many)),
                    None => wrong(format!("it has a list of {many} values")),
                }
            }
            _ => {
                let mut list = Vec::new();
                for _ in 0..many {
                    if let Value::Number(number) = self.scalar(kind)? {
                        list.push(number);
                    }
                }
                Ok(if list.len() as u64 == many { Value::List(list) } else { Value::Many(many) })
            }
        }
    }
}

/// ggml's types: number, name, numbers of a block and its bytes (ggml/src/ggml-common.h).
const TYPES: [(u32, &str, u64, u64); 34] = [
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 40),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
];
