using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;

namespace Provisioner.Protocols.Est;

/// <summary>The bodies of EST's requests and answers: DER in base64 (RFC 7030 §4, as RFC 8951 §3 clarifies it).</summary>
public static class EstMessage
{
    /// <summary>Bodies beyond this are refused: enough for the largest request that is read, with line ends after every 64 characters.</summary>
    public const int MaximumLength = 24 * 1024;

    private const int LineLength = 64;

    /// <summary>
    /// Reads a body. The header Content-Transfer-Encoding is of no interest, it is base64 in any case (RFC 8951 §3); white space may be
    /// anywhere.
    /// </summary>
    /// <param name="body">What the client sent.</param>
    /// <param name="der">The bytes it stands for; whether they are DER is not looked at.</param>
    /// <param name="reason">When false is returned: what is wrong.</param>
    /// <remarks>Any bytes at all may be given; nothing is thrown.</remarks>
    public static bool TryDecode(ReadOnlySpan<byte> body, [NotNullWhen(true)] out byte[]? der, [NotNullWhen(false)] out string? reason)
    {
        der = null;
        if (body.Length > MaximumLength)
        {
            reason = $"the body has {body.Length} bytes, {MaximumLength} are allowed";
            return false;
        }
        if (body.IndexOf("-----"u8) >= 0)
        {
            reason = "the body is PEM: send the base64 of the DER alone, without the header lines '-----BEGIN …' and '-----END …'";
            return false;
        }
        // The first byte of every SEQUENCE is also the digit 0 of base64, but the length after it, when it takes more than one byte, is not.
        if (body is [0x30, >= 0x80, ..])
        {
            reason = "the body is DER as it is: send it in base64 (RFC 8951 §3)";
            return false;
        }
        var characters = new byte[body.Length];
        var count = 0;
        for (var i = 0; i < body.Length; i++)
        {
            var character = body[i];
            if (character is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
                continue;
            if (!char.IsAsciiLetterOrDigit((char)character) && character is not ((byte)'+' or (byte)'/' or (byte)'='))
            {
                reason = character is (byte)'-' or (byte)'_'
                    ? $"the body has the character '{(char)character}' at byte {i}: send base64, not base64url"
                    : $"the body has the byte 0x{character:x2} at byte {i}, which base64 does not use";
                return false;
            }
            characters[count++] = character;
        }
        if (count == 0)
        {
            reason = "the body is empty: send base64 of DER";
            return false;
        }
        if (count % 4 != 0)
        {
            reason = $"the body has {count} characters of base64, which is no multiple of 4: it was cut short or lacks its padding '='";
            return false;
        }
        var decoded = new byte[Base64.GetMaxDecodedFromUtf8Length(count)];
        if (Base64.DecodeFromUtf8(characters.AsSpan(0, count), decoded, out _, out var written) != OperationStatus.Done)
        {
            reason = "the body's padding '=' is not at the end of its base64";
            return false;
        }
        der = decoded.AsSpan(0, written).ToArray();
        reason = null;
        return true;
    }

    /// <summary>Writes a body: lines of 64 characters, each with LF after it.</summary>
    /// <remarks>
    /// LF alone, because GNU's <c>base64 -d</c> refuses CR; lines, and one after the last, because <c>openssl base64 -d</c> reads nothing
    /// from long lines or from an unended one.
    /// </remarks>
    public static byte[] Encode(ReadOnlySpan<byte> der)
    {
        var text = new byte[Base64.GetMaxEncodedToUtf8Length(der.Length)];
        Base64.EncodeToUtf8(der, text, out _, out var length);
        var body = new byte[length + (length + LineLength - 1) / LineLength];
        var at = 0;
        for (var from = 0; from < length; from += LineLength)
        {
            var line = text.AsSpan(from, Math.Min(LineLength, length - from));
            line.CopyTo(body.AsSpan(at));
            at += line.Length;
            body[at++] = (byte)'\n';
        }
        return body;
    }
}
