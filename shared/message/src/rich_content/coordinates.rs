//! Geographic coordinates.

use serde::{Deserialize, Serialize};

/// A location on earth, with a precision of about one centimeter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordinates {
    /// In 1e-7 degrees. North is positive.
    latitude: i64,
    /// In 1e-7 degrees. East is positive.
    longitude: i64,
}

impl Coordinates {
    const UNITS: f64 = 1e7;

    /// Coordinates from degrees. `None` if the latitude is not in -90 to 90 or the longitude not in -180 to 180.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let units = |degrees: f64, most: f64| {
            // The range check makes the conversion lossless.
            (degrees.abs() <= most).then(|| (degrees * Self::UNITS).round() as i64)
        };
        Some(Self { latitude: units(latitude, 90.0)?, longitude: units(longitude, 180.0)? })
    }

    /// The latitude in degrees. North is positive.
    pub fn latitude(self) -> f64 {
        self.latitude as f64 / Self::UNITS
    }

    /// The longitude in degrees. East is positive.
    pub fn longitude(self) -> f64 {
        self.longitude as f64 / Self::UNITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_out_of_range_are_rejected() {
        let place = Coordinates::new(52.520_008, -13.404_954).unwrap();
        assert_eq!((place.latitude(), place.longitude()), (52.520_008, -13.404_954));
        for (latitude, longitude) in [(90.1, 0.0), (0.0, -180.5), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(Coordinates::new(latitude, longitude), None);
        }
    }
}
