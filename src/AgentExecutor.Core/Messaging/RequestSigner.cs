using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Signs what leaves the service and is checked when or where it arrives: links, callbacks and webhooks. The signature is HMAC-SHA256 over
/// <c>TIME.BODY</c>, where TIME is the number of seconds since 1970 in decimal digits.
/// </summary>
public sealed class RequestSigner(Secret key)
{
    /// <summary>The header of signed requests: <c>t=TIME,v1=SIGNATURE</c>, with the signature in hexadecimal.</summary>
    public const string Header = "AgentExecutor-Signature";

    /// <summary>True if there is a key.</summary>
    public bool HasKey => key.IsSet;

    /// <summary>Returns the signature in base64url.</summary>
    /// <exception cref="FaultException">There is no key (<see cref="FaultCodes.SigningKeyMissing"/>).</exception>
    public string Sign(DateTimeOffset time, ReadOnlySpan<byte> body) => Base64Url.EncodeToString(Compute(time, body));

    /// <summary>Returns the value of <see cref="Header"/> for a request with this body.</summary>
    /// <exception cref="FaultException">There is no key (<see cref="FaultCodes.SigningKeyMissing"/>).</exception>
    public string HeaderOf(DateTimeOffset time, ReadOnlySpan<byte> body) =>
        string.Create(CultureInfo.InvariantCulture, $"t={time.ToUnixTimeSeconds()},v1={Convert.ToHexStringLower(Compute(time, body))}");

    /// <summary>Returns true if the signature is that of the time and the body. It takes the same time for every signature.</summary>
    /// <exception cref="FaultException">There is no key (<see cref="FaultCodes.SigningKeyMissing"/>).</exception>
    public bool Verify(DateTimeOffset time, ReadOnlySpan<byte> body, string signature) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(Sign(time, body)), Encoding.UTF8.GetBytes(signature));

    private byte[] Compute(DateTimeOffset time, ReadOnlySpan<byte> body)
    {
        if (!key.IsSet)
        {
            throw new FaultException(
                FaultCodes.SigningKeyMissing,
                "links, callbacks and webhooks are signed, but SIGNING_KEY is not set",
                "set SIGNING_KEY to a secret of at least 16 characters"
            );
        }
        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(key.Value!));
        mac.AppendData(Encoding.ASCII.GetBytes(time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)));
        mac.AppendData("."u8);
        mac.AppendData(body);
        return mac.GetHashAndReset();
    }
}
