//! Lists out of iterators, in one loop.
//!
//! The library's `collect` takes the first item, asks how many follow, makes room for them
//! and then takes the rest: every step of the iterator is in the binary twice. Speed is
//! what it is for; here a list is short, and there are two hundred of these loops.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

/// What [`Gather::gather`] can make.
pub trait Gathered<T>: Sized {
    /// All that comes.
    fn gathered(items: impl Iterator<Item = T>) -> Self;
}

/// Like `collect`, smaller.
pub trait Gather: Iterator + Sized {
    /// Makes one thing of all that comes.
    fn gather<B: Gathered<Self::Item>>(self) -> B {
        B::gathered(self)
    }
}

impl<I: Iterator> Gather for I {}

impl<T> Gathered<T> for Vec<T> {
    fn gathered(items: impl Iterator<Item = T>) -> Self {
        let mut all = Self::new();
        for item in items {
            all.push(item);
        }
        all
    }
}

impl<T> Gathered<T> for Box<[T]> {
    fn gathered(items: impl Iterator<Item = T>) -> Self {
        Vec::gathered(items).into_boxed_slice()
    }
}

impl<T> Gathered<T> for Rc<[T]> {
    fn gathered(items: impl Iterator<Item = T>) -> Self {
        Vec::gathered(items).into()
    }
}

impl<T> Gathered<T> for VecDeque<T> {
    fn gathered(items: impl Iterator<Item = T>) -> Self {
        Vec::gathered(items).into()
    }
}

impl Gathered<char> for String {
    fn gathered(items: impl Iterator<Item = char>) -> Self {
        let mut all = Self::new();
        for item in items {
            all.push(item);
        }
        all
    }
}

impl<'a> Gathered<&'a str> for String {
    fn gathered(items: impl Iterator<Item = &'a str>) -> Self {
        let mut all = Self::new();
        for item in items {
            all.push_str(item);
        }
        all
    }
}

impl Gathered<Self> for String {
    fn gathered(items: impl Iterator<Item = Self>) -> Self {
        let mut all = Self::new();
        for item in items {
            all.push_str(&item);
        }
        all
    }
}

impl<T, E, B: Gathered<T>> Gathered<Result<T, E>> for Result<B, E> {
    fn gathered(mut items: impl Iterator<Item = Result<T, E>>) -> Self {
        let mut fault = None;
        let good = core::iter::from_fn(|| match items.next()? {
            Ok(item) => Some(item),
            Err(error) => {
                fault = Some(error);
                None
            }
        });
        let all = B::gathered(good);
        match fault {
            None => Ok(all),
            Some(error) => Err(error),
        }
    }
}

impl<T, B: Gathered<T>> Gathered<Option<T>> for Option<B> {
    fn gathered(mut items: impl Iterator<Item = Option<T>>) -> Self {
        let mut is_whole = true;
        let good = core::iter::from_fn(|| {
            let item = items.next()?;
            is_whole = item.is_some();
            item
        });
        let all = B::gathered(good);
        is_whole.then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use super::Gather;

    #[test]
    fn makes_what_collect_makes() {
        let numbers = || (0..9).filter(|n| n % 3 != 1);
        let vec: Vec<i32> = numbers().gather();
        assert_eq!(vec, numbers().collect::<Vec<_>>());
        let boxed: Box<[i32]> = numbers().gather();
        assert_eq!(*boxed, *vec);
        let words = || numbers().map(|n| n.to_string());
        assert_eq!(words().gather::<String>(), words().collect::<String>());
        assert_eq!("abc".chars().rev().gather::<String>(), "cba");
    }

    #[test]
    fn stops_at_the_first_fault_and_says_it() {
        let mut asked = Vec::new();
        let mut read = |text: &'static str| {
            asked.push(text);
            text.parse::<u8>().map_err(|_| text)
        };
        let all: Result<Vec<u8>, &str> = ["1", "no", "2"].into_iter().map(&mut read).gather();
        assert_eq!(all, Err("no"));
        let all: Result<Vec<u8>, &str> = ["3", "4"].into_iter().map(&mut read).gather();
        assert_eq!(all, Ok([3, 4].to_vec()));
        assert_eq!(asked, ["1", "no", "3", "4"]);
    }

    #[test]
    fn one_that_is_missing_is_all_that_is_missing() {
        let all = |list: &[Option<u8>]| list.iter().copied().gather::<Option<Vec<u8>>>();
        assert_eq!(all(&[Some(1), None, Some(2)]), None);
        assert_eq!(all(&[Some(1), Some(2)]), Some([1, 2].to_vec()));
        assert_eq!(all(&[]), Some([].to_vec()));
    }
}
