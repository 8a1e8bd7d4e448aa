#!/usr/bin/env python3
"""Makes the photos of the tests: python3 make.py (Debian's python3-pil)."""
from PIL import Image, ImageCms

W, H = 24, 16
rgb = Image.new("RGB", (W, H))
for y in range(H):
    for x in range(W):
        rgb.putpixel((x, y), (10 * x, 15 * y, 255 if x < 8 and y < 4 else 60))
profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
exif = Image.Exif()
exif[0x0112] = 6
exif[0x010F] = "Latentbrush"
rgb.save("turned.jpg", quality=95, subsampling=0, exif=exif.tobytes(), icc_profile=profile)
rgb.save("plain.webp", lossless=True, exif=exif.tobytes(), icc_profile=profile)
rgb.convert("CMYK").save("cmyk.jpg", quality=95)
rgb.save("profile.tif", icc_profile=profile, compression="tiff_lzw")
rgb.save("profile.png", icc_profile=profile)

# For the blocks of JPEG files: sizes that are no multiple of a block.
W, H = 83, 61
rgb = Image.new("RGB", (W, H))
for y in range(H):
    for x in range(W):
        rgb.putpixel((x, y), ((3 * x + y * y // 20) % 256, (x * y // 9) % 256, (255 - 2 * x + 3 * y) % 256))
rgb.save("progressive.jpg", quality=85, progressive=True)
rgb.save("progressive444.jpg", quality=93, progressive=True, subsampling=0)
rgb.save("halved.jpg", quality=60, subsampling=1, optimize=True)
rgb.convert("L").save("grey.jpg", quality=80)
rgb.convert("L").save("grey-progressive.jpg", quality=80, progressive=True)
