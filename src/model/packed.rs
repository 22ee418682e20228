//! What postcard has written, read back: whether it can be, and not why it cannot.
//!
//! postcard's reader says in each error what was wrong. That is one byte, which lies where
//! a value would, so that the compiler takes the two apart again behind every field: a third
//! of all the code that reads. Nobody asks for it. Here an error says nothing, and
//! how fields follow each other is known without counting them; numbers and texts are
//! read by postcard.

use core::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, SeqAccess,
    VariantAccess, Visitor,
};

/// The value that these bytes begin with, and the bytes behind it.
#[must_use]
pub fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<(T, &'a [u8])> {
    let mut reader = Reader(postcard::Deserializer::from_bytes(bytes));
    let value = T::deserialize(&mut reader).ok()?;
    let rest = reader.0.finalize().ok()?;
    Some((value, rest))
}

struct Reader<'a>(postcard::Deserializer<'a, postcard::de_flavors::Slice<'a>>);

/// These bytes mean nothing.
#[derive(Debug)]
struct Garbled;

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("garbled")
    }
}

impl core::error::Error for Garbled {}

impl Error for Garbled {
    fn custom<T: fmt::Display>(_words: T) -> Self {
        Self
    }
}

impl<'a> Reader<'a> {
    fn plain<T: Deserialize<'a>>(&mut self) -> Result<T, Garbled> {
        T::deserialize(&mut self.0).map_err(|_| Garbled)
    }

    fn length(&mut self) -> Result<usize, Garbled> {
        usize::try_from(self.plain::<u64>()?).map_err(|_| Garbled)
    }
}

/// What postcard reads.
macro_rules! plain {
    ($($read:ident is $kind:ty, $visit:ident;)*) => {
        $(fn $read<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Garbled> {
            visitor.$visit(self.plain::<$kind>()?)
        })*
    };
}

impl<'a> Deserializer<'a> for &mut Reader<'a> {
    type Error = Garbled;

    plain! {
        deserialize_bool is bool, visit_bool;
        deserialize_i8 is i8, visit_i8;
        deserialize_i16 is i16, visit_i16;
        deserialize_i32 is i32, visit_i32;
        deserialize_i64 is i64, visit_i64;
        deserialize_u8 is u8, visit_u8;
        deserialize_u16 is u16, visit_u16;
        deserialize_u32 is u32, visit_u32;
        deserialize_u64 is u64, visit_u64;
        deserialize_f32 is f32, visit_f32;
        deserialize_f64 is f64, visit_f64;
        deserialize_char is char, visit_char;
        deserialize_str is &'a str, visit_borrowed_str;
        deserialize_string is &'a str, visit_borrowed_str;
        deserialize_bytes is &'a [u8], visit_borrowed_bytes;
        deserialize_byte_buf is &'a [u8], visit_borrowed_bytes;
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Garbled> {
        match self.plain::<u8>()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(Garbled),
        }
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Garbled> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Garbled> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Garbled> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Garbled> {
        let left = self.length()?;
        visitor.visit_seq(Items { reader: self, left })
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Garbled> {
        visitor.visit_seq(Fields(self))
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Garbled> {
        visitor.visit_seq(Fields(self))
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Garbled> {
        visitor.visit_seq(Fields(self))
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Garbled> {
        visitor.visit_enum(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    // ---- what nothing of ours asks for ---------------------------------------------

    fn deserialize_any<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Garbled> {
        Err(Garbled)
    }

    fn deserialize_map<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Garbled> {
        Err(Garbled)
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Garbled> {
        Err(Garbled)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Garbled> {
        Err(Garbled)
    }
}

/// A list, which says how long it is.
struct Items<'r, 'a> {
    reader: &'r mut Reader<'a>,
    left: usize,
}

impl<'a> SeqAccess<'a> for Items<'_, 'a> {
    type Error = Garbled;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Garbled> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// Fields, of which the type knows how many there are: so many are asked for.
struct Fields<'r, 'a>(&'r mut Reader<'a>);

impl<'a> SeqAccess<'a> for Fields<'_, 'a> {
    type Error = Garbled;

    // Where this is part of what reads the fields, nobody asks whether one is there.
    #[inline(always)]
    fn next_element<T: Deserialize<'a>>(&mut self) -> Result<Option<T>, Garbled> {
        T::deserialize(&mut *self.0).map(Some)
    }

    #[inline(always)]
    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Garbled> {
        seed.deserialize(&mut *self.0).map(Some)
    }
}

impl<'a> EnumAccess<'a> for &mut Reader<'a> {
    type Error = Garbled;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Garbled> {
        let variant = self.plain::<u32>()?;
        let variant = IntoDeserializer::<Garbled>::into_deserializer(variant);
        Ok((seed.deserialize(variant)?, self))
    }
}

impl<'a> VariantAccess<'a> for &mut Reader<'a> {
    type Error = Garbled;

    fn unit_variant(self) -> Result<(), Garbled> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Garbled> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Garbled> {
        visitor.visit_seq(Fields(self))
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Garbled> {
        visitor.visit_seq(Fields(self))
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    use serde::Serialize;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
    struct Whole {
        numbers: (u8, i16, u32, i64, f64, char),
        is: bool,
        text: String,
        maybe: Option<Box<str>>,
        list: Vec<Part>,
        four: [u16; 4],
        few: heapless::Vec<u8, 3>,
        nothing: (),
        last: Last,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
    enum Part {
        None,
        One(u64),
        Two(i8, String),
        Named { at: u32, deep: Vec<Part> },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
    struct Last(core::time::Duration, Option<core::net::IpAddr>);

    fn whole() -> Whole {
        let deep = vec![Part::None, Part::Two(-1, "é".into())];
        Whole {
            numbers: (255, -300, 70_000, i64::MIN, 1.5, 'é'),
            is: true,
            text: "text".into(),
            maybe: Some("maybe".into()),
            list: vec![Part::One(u64::MAX), Part::Named { at: 7, deep }],
            four: [1, 2, 300, u16::MAX],
            few: heapless::Vec::from_slice(&[1, 2]).unwrap(),
            nothing: (),
            last: Last(
                core::time::Duration::from_millis(1500),
                Some(core::net::Ipv4Addr::LOCALHOST.into()),
            ),
        }
    }

    #[test]
    fn reads_what_postcard_reads_and_refuses_what_it_refuses() {
        let bytes = postcard::to_allocvec(&whole()).unwrap();
        assert_eq!(take::<Whole>(&bytes), Some((whole(), &[][..])));
        let agree = |bytes: &[u8]| {
            // As words: one of them is a number that is not equal to itself.
            let ours = format!("{:?}", take::<Whole>(bytes));
            let theirs = format!("{:?}", postcard::take_from_bytes::<Whole>(bytes).ok());
            assert_eq!(ours, theirs, "{bytes:?}");
        };
        for end in 0..bytes.len() {
            agree(&bytes[..end]);
            for byte in 0..=u8::MAX {
                let mut bytes = bytes.clone();
                bytes[end] = byte;
                agree(&bytes);
                bytes.insert(end, byte);
                agree(&bytes);
            }
        }
    }
}
