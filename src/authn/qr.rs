//! QR codes (ISO/IEC 18004), by which an authenticator takes over a secret: as SVG for pages, as PNG for terminals and
//! files.
//!
//! The picture holds the secret: it is as secret as the text.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The white margin that readers need, in modules (ISO/IEC 18004, section 6.3.8).
const MARGIN: usize = 4;
/// The side of a module in a PNG, in pixels.
const PIXELS: usize = 8;

/// The text does not fit a QR code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is too long for a QR code")]
pub struct QrTooLong;

/// A QR code of the text as an SVG document, without scripts, styles or links.
pub fn qr_svg(text: &Secret) -> Result<Secret, QrTooLong> {
    let code = Modules::of(text)?;
    let side = code.side;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges" role="img" aria-label="QR code"><path fill="#fff" d="M0 0h{side}v{side}H0z"/><path fill="#000" d=""##
    );
    for y in 0..side {
        let mut x = 0;
        while x < side {
            let run = (x..side).take_while(|x| code.is_dark(*x, y)).count();
            if run > 0 {
                // Writing into a text cannot fail.
                let _ = write!(svg, "M{x} {y}h{run}v1h-{run}z");
            }
            x += run + 1;
        }
    }
    svg.push_str("\"/></svg>");
    Ok(Secret::new(svg))
}

/// A QR code of the text as a PNG file, black on white.
pub fn qr_png(text: &Secret) -> Result<Zeroizing<Vec<u8>>, QrTooLong> {
    let code = Modules::of(text)?;
    let side = code.side * PIXELS;
    let mut pixels = Zeroizing::new(Vec::with_capacity(side * code.side));
    for y in 0..code.side {
        // A module is as wide as a byte of eight pixels.
        let row: Vec<u8> = (0..code.side).map(|x| if code.is_dark(x, y) { 0x00 } else { 0xff }).collect();
        for _ in 0..PIXELS {
            pixels.extend_from_slice(&row);
        }
    }
    let mut file = Zeroizing::new(Vec::new());
    let side = u32::try_from(side).map_err(|_| QrTooLong)?;
    let mut encoder = png::Encoder::new(&mut *file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    // Writing into memory fails only for a picture that is too large.
    let mut writer = encoder.write_header().map_err(|_| QrTooLong)?;
    writer.write_image_data(&pixels).map_err(|_| QrTooLong)?;
    writer.finish().map_err(|_| QrTooLong)?;
    Ok(file)
}

/// The modules of a QR code with its margin.
struct Modules {
    code: QrCode,
    side: usize,
}

impl Modules {
    fn of(text: &Secret) -> Result<Self, QrTooLong> {
        let code = QrCode::encode_text(text.expose(), QrCodeEcc::Medium).map_err(|_| QrTooLong)?;
        let side = usize::try_from(code.size()).map_err(|_| QrTooLong)? + 2 * MARGIN;
        Ok(Self { code, side })
    }

    /// Whether the module is dark; those of the margin are not.
    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| at.checked_sub(MARGIN).and_then(|at| i32::try_from(at).ok());
        inside(x).zip(inside(y)).is_some_and(|(x, y)| self.code.get_module(x, y))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    const URI: &str = "otpauth://totp/Gatepost:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Gatepost";

    /// Width and height, and whether each pixel is dark.
    struct Picture {
        side: usize,
        dark: Vec<bool>,
    }

    impl Picture {
        fn of_png(file: &[u8]) -> Self {
            let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
            let mut rows = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut rows).unwrap();
            let (width, height) = (info.width as usize, info.height as usize);
            assert_eq!(width, height);
            let dark = |x: usize, y: usize| rows[y * info.line_size + x / 8] >> (7 - x % 8) & 1 == 0;
            let dark = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| dark(x, y)).collect();
            Self { side: width, dark }
        }

        /// Draws the path of dark runs, as large as the PNG.
        fn of_svg(svg: &str) -> Self {
            let side: usize = svg.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
            let side = side * PIXELS;
            let mut dark = vec![false; side * side];
            let path = svg.split("fill=\"#000\" d=\"").nth(1).unwrap().split('"').next().unwrap();
            for run in path.split_terminator('z') {
                let numbers: Vec<usize> =
                    run.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
                let [x, y, length, 1, back] = numbers[..] else { panic!("{run}") };
                assert_eq!(length, back);
                for at_y in y * PIXELS..(y + 1) * PIXELS {
                    dark[at_y * side + x * PIXELS..at_y * side + (x + length) * PIXELS].fill(true);
                }
            }
            Self { side, dark }
        }

        /// What a reader that nobody here wrote sees.
        fn read(&self) -> String {
            let brightness = |x: usize, y: usize| if self.dark[y * self.side + x] { 0 } else { 255 };
            let mut image = rqrr::PreparedImage::prepare_from_greyscale(self.side, self.side, brightness);
            let grids = image.detect_grids();
            assert_eq!(grids.len(), 1);
            grids[0].decode().unwrap().1
        }
    }

    #[test]
    fn both_pictures_are_read_as_the_text() {
        let uri = Secret::new(URI.to_owned());
        assert_eq!(Picture::of_png(&qr_png(&uri).unwrap()).read(), URI);
        assert_eq!(Picture::of_svg(qr_svg(&uri).unwrap().expose()).read(), URI);
    }

    #[test]
    fn the_svg_holds_numbers_only() {
        let svg = qr_svg(&Secret::new("<script>&\"'".to_owned())).unwrap();
        assert!(!svg.expose().contains("script"));
        assert_eq!(svg.expose().matches('<').count(), 4);
    }

    #[test]
    fn a_text_that_is_too_long_is_refused() {
        let long = Secret::new("a".repeat(2_332));
        assert_eq!(qr_svg(&long).unwrap_err(), QrTooLong);
        assert_eq!(qr_png(&long).unwrap_err(), QrTooLong);
        assert!(qr_png(&Secret::new("a".repeat(2_331))).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn both_pictures_are_the_same(text in "[ -~]{1,300}") {
            let text = Secret::new(text);
            let png = Picture::of_png(&qr_png(&text).unwrap());
            let svg = Picture::of_svg(qr_svg(&text).unwrap().expose());
            prop_assert_eq!(png.side, svg.side);
            prop_assert!(png.dark == svg.dark);
        }
    }
}
