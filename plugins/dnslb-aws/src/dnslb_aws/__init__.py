"""What the plugins on AWS share: `options`, which importing costs nothing, and `account` and `errors`, on botocore."""
