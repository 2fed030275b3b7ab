namespace Provisioner.Protocols.Tftp;

/// <summary>Translates text with Unix line ends into netascii as it flows (RFC 764): LF becomes CR LF, CR becomes CR NUL.</summary>
public struct NetasciiEncoder
{
    private byte pending;
    private bool hasPending;

    /// <summary>Whether the second octet of a pair still waits for room.</summary>
    public readonly bool HasPending => hasPending;

    /// <summary>Translates until the source is used up or the destination full. A pair may be split between two calls.</summary>
    /// <param name="source">What comes next in the file.</param>
    /// <param name="destination">Where it goes.</param>
    /// <param name="consumed">Octets taken from the source.</param>
    /// <returns>Octets written.</returns>
    public int Encode(ReadOnlySpan<byte> source, Span<byte> destination, out int consumed)
    {
        consumed = 0;
        var written = 0;
        while (written < destination.Length)
        {
            if (hasPending)
            {
                destination[written++] = pending;
                hasPending = false;
                continue;
            }
            if (consumed == source.Length)
                break;
            var octet = source[consumed++];
            if (octet is (byte)'\n' or (byte)'\r')
            {
                pending = octet == '\n' ? (byte)'\n' : (byte)0;
                hasPending = true;
                octet = (byte)'\r';
            }
            destination[written++] = octet;
        }
        return written;
    }
}
