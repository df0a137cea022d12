//! Layers as the tar that they are packed from: which compression a media type names, and its reader, which takes several
//! members or frames as one and refuses a window that would cost more memory than a skill is worth.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::limits::ZSTD_WINDOW;

/// How a layer is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, of any number of members.
    Gzip,
    /// zstd, of any number of frames.
    Zstd,
}

impl Compression {
    /// What the media type of a layer says; none if it is no tar.
    pub fn of(media_type: &str) -> Option<Self> {
        let media_type = media_type.split(';').next().unwrap_or(media_type).trim();
        let has = |ends: &[&str]| ends.iter().any(|end| media_type.ends_with(end));
        if has(&["tar+gzip", "tar.gzip", "tar.gz", "tar+gz", "/gzip"]) {
            Some(Self::Gzip)
        } else if has(&["tar+zstd", "tar.zstd"]) {
            Some(Self::Zstd)
        } else if has(&[".tar", "/x-tar", "/tar"]) {
            Some(Self::None)
        } else {
            None
        }
    }

    /// What bytes begin with; a tar begins with a name, which may be anything else.
    pub fn sniffed(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "an uncompressed tar",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The tar in a layer.
    pub fn reader<'r>(self, source: impl BufRead + 'r) -> Box<dyn Read + 'r> {
        match self {
            Self::None => Box::new(source),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
            Self::Zstd => {
                let mut decoder = FrameDecoder::new();
                decoder.set_max_window_size(ZSTD_WINDOW);
                Box::new(Zstd { source, decoder, open: false, seen: false })
            }
        }
    }
}

/// The frames of a zstd stream one after another, those that are to be skipped left out.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    /// Whether a frame has begun that has not been read to its end.
    open: bool,
    /// Whether there was a frame.
    seen: bool,
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if self.open && self.decoder.can_collect() > 0 {
                return self.decoder.read(into);
            }
            if self.open && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
                continue;
            }
            self.open = false;
            if self.source.fill_buf()?.is_empty() {
                return if self.seen { Ok(0) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            self.seen = true;
            match self.decoder.reset(&mut self.source) {
                Ok(()) => self.open = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(FrameDecoderError::WindowSizeTooBig { requested, max }) => {
                    return Err(io::Error::other(format!(
                        "a zstd frame asks for a window of {requested} bytes; at most {max} are taken: pack it without --long"
                    )));
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use super::*;

    fn unpacked(compression: Compression, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        match compression.reader(bytes).read_to_end(&mut out) {
            Ok(_) => Ok(out),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(in crate::skill) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).expect("memory");
        packer.finish().expect("memory")
    }

    pub(in crate::skill) fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    /// A reader that stops after the first member misses files that a runtime sees.
    #[test]
    fn members_and_frames_are_read_as_one() {
        assert_eq!(
            unpacked(Compression::Gzip, &[gzip(b"one"), gzip(b""), gzip(b" two")].concat()),
            Ok(b"one two".into())
        );
        let skipped = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
        assert_eq!(
            unpacked(Compression::Zstd, &[skipped.clone(), zstd(b"one"), skipped, zstd(b" two")].concat()),
            Ok(b"one two".into())
        );
        assert_eq!(unpacked(Compression::None, b"plain"), Ok(b"plain".into()));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let packed = gzip(b"content");
        for wrong in [&packed[..packed.len() - 1], &[&packed[..], b"garbage"].concat(), b"", b"no gzip"] {
            assert!(unpacked(Compression::Gzip, wrong).is_err(), "{wrong:?} would be read");
        }
        let packed = zstd(b"content");
        // A frame with a window of 2 GiB.
        let giant = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 1, 0, 0];
        for wrong in
            [&packed[..packed.len() - 1], &[&packed[..], b"garbage"].concat(), b"", b"no zstd", &giant]
        {
            assert!(unpacked(Compression::Zstd, wrong).is_err(), "{wrong:?} would be read");
        }
    }

    #[test]
    fn a_media_type_names_a_compression() {
        for (media_type, compression) in [
            ("application/vnd.oci.image.layer.v1.tar+gzip", Some(Compression::Gzip)),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", Some(Compression::Gzip)),
            ("application/vnd.redhat.agentskill.layer.v1.tar+gzip", Some(Compression::Gzip)),
            ("application/vnd.oci.image.layer.v1.tar+zstd", Some(Compression::Zstd)),
            ("application/vnd.oci.image.layer.v1.tar", Some(Compression::None)),
            ("text/markdown", None),
            ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", None),
        ] {
            assert_eq!(Compression::of(media_type), compression, "{media_type}");
        }
    }
}
