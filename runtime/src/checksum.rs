//! CRC-32 (IEEE) of files: the fast library where there is room for its 16 kB of tables, else a table of 64
//! bytes, for flash and for downloads.

#[cfg(feature = "std")]
pub(crate) use crc32fast::hash as crc32;
#[cfg(not(feature = "std"))]
pub(crate) use small as crc32;

/// CRC-32 by half bytes.
#[cfg(any(test, not(feature = "std")))]
pub(crate) fn small(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut i = 0;
        while i < 64 {
            let before = if i % 4 == 0 { (i / 4) as u32 } else { table[i / 4] };
            table[i / 4] = if before & 1 == 1 { before >> 1 ^ 0xedb8_8320 } else { before >> 1 };
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, &byte| {
        let crc = TABLE[((crc ^ u32::from(byte)) & 15) as usize] ^ crc >> 4;
        TABLE[((crc ^ u32::from(byte) >> 4) & 15) as usize] ^ crc >> 4
    })
}

#[cfg(all(test, feature = "std"))]
mod tests {
    #[test]
    fn both_checksums_are_equal() {
        let bytes: [u8; 999] = core::array::from_fn(|i| (i * i % 251) as u8);
        for n in [0, 1, 7, 999] {
            assert_eq!(super::small(&bytes[..n]), crc32fast::hash(&bytes[..n]));
        }
    }
}
