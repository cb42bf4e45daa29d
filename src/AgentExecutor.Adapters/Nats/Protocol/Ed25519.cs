using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>
/// Ed25519 signatures (RFC 8032, section 5.1), which the runtime lacks and no maintained package here has. Written for the one nonce that a connect signs:
/// a few milliseconds each, and not in constant time, which only the server itself could measure.
/// </summary>
internal static class Ed25519
{
    private static readonly BigInteger P = BigInteger.Pow(2, 255) - 19;
    private static readonly BigInteger Order = BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493", CultureInfo.InvariantCulture);
    private static readonly BigInteger D = Mod(-121665 * Inverse(121666));
    private static readonly Point Base = FromAffine(
        BigInteger.Parse("15112221349535400772501151409588531511454012693041857206046113283949847762202", CultureInfo.InvariantCulture), Mod(4 * Inverse(5)));

    public static byte[] PublicKey(ReadOnlySpan<byte> seed) => Encode(Multiply(Base, Expand(seed).Scalar));

    public static byte[] Sign(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> message)
    {
        var (scalar, prefix) = Expand(seed);
        var nonce = HashToScalar([.. prefix, .. message]);
        var point = Encode(Multiply(Base, nonce));
        var challenge = HashToScalar([.. point, .. Encode(Multiply(Base, scalar)), .. message]);
        return [.. point, .. ToBytes((nonce + (challenge * scalar)) % Order)];
    }

    private static (BigInteger Scalar, byte[] Prefix) Expand(ReadOnlySpan<byte> seed)
    {
        var hash = SHA512.HashData(seed);
        hash[0] &= 0b1111_1000;
        hash[31] = (byte)((hash[31] & 0b0111_1111) | 0b0100_0000);
        return (new BigInteger(hash.AsSpan(0, 32), isUnsigned: true), hash[32..]);
    }

    private static BigInteger HashToScalar(byte[] data) => new BigInteger(SHA512.HashData(data), isUnsigned: true) % Order;

    private static Point Multiply(Point point, BigInteger scalar)
    {
        var sum = new Point(0, 1, 1, 0);
        for (var bits = scalar; !bits.IsZero; bits >>= 1)
        {
            sum = bits.IsEven ? sum : Add(sum, point);
            point = Add(point, point);
        }
        return sum;
    }

    /// <summary>Section 5.1.4: complete, so it doubles too.</summary>
    private static Point Add(Point one, Point other)
    {
        var a = Mod((one.Y - one.X) * (other.Y - other.X));
        var b = Mod((one.Y + one.X) * (other.Y + other.X));
        var c = Mod(2 * one.T * D * other.T);
        var d = Mod(2 * one.Z * other.Z);
        var (e, f, g, h) = (b - a, d - c, d + c, b + a);
        return new Point(Mod(e * f), Mod(g * h), Mod(f * g), Mod(e * h));
    }

    private static byte[] Encode(Point point)
    {
        var inverse = Inverse(point.Z);
        var bytes = ToBytes(Mod(point.Y * inverse));
        bytes[31] |= (byte)(Mod(point.X * inverse).IsEven ? 0 : 0x80);
        return bytes;
    }

    private static byte[] ToBytes(BigInteger value)
    {
        var bytes = new byte[32];
        value.TryWriteBytes(bytes, out _, isUnsigned: true);
        return bytes;
    }

    private static Point FromAffine(BigInteger x, BigInteger y) => new(x, y, 1, Mod(x * y));

    private static BigInteger Inverse(BigInteger value) => BigInteger.ModPow(Mod(value), P - 2, P);

    private static BigInteger Mod(BigInteger value) => value % P is { Sign: < 0 } negative ? negative + P : value % P;

    /// <summary>Extended coordinates: x = X/Z, y = Y/Z, xy = T/Z.</summary>
    private readonly record struct Point(BigInteger X, BigInteger Y, BigInteger Z, BigInteger T);
}
