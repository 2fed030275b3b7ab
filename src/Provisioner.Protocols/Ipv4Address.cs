using System.Buffers.Binary;
using System.Net;

namespace Provisioner.Protocols;

/// <summary>An IPv4 address as a value: no allocation on the packet path, ordered, usable as a key.</summary>
public readonly record struct Ipv4Address(uint Bits) : IComparable<Ipv4Address>
{
    /// <summary>0.0.0.0: no address yet.</summary>
    public static Ipv4Address Any => default;

    /// <summary>255.255.255.255: this network, everybody (RFC 919).</summary>
    public static Ipv4Address Broadcast => new(uint.MaxValue);

    /// <summary>Reads four octets in network order.</summary>
    public Ipv4Address(ReadOnlySpan<byte> octets) : this(BinaryPrimitives.ReadUInt32BigEndian(octets)) { }

    /// <summary>True for 0.0.0.0.</summary>
    public bool IsAny => Bits == 0;

    /// <summary>Writes four octets in network order.</summary>
    public void CopyTo(Span<byte> destination) => BinaryPrimitives.WriteUInt32BigEndian(destination, Bits);

    /// <summary>Reads dotted decimal with exactly four parts; no octal, no short forms.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Ipv4Address address)
    {
        address = default;
        uint bits = 0;
        var parts = 0;
        foreach (var range in text.Split('.'))
        {
            var part = text[range];
            if (++parts > 4 || part.Length is 0 or > 3 || part.Length > 1 && part[0] == '0')
                return false;
            uint octet = 0;
            foreach (var c in part)
            {
                if (!char.IsAsciiDigit(c))
                    return false;
                octet = octet * 10 + (uint)(c - '0');
            }
            if (octet > 255)
                return false;
            bits = bits << 8 | octet;
        }
        address = new Ipv4Address(bits);
        return parts == 4;
    }

    /// <summary>Reads an address that is known to be well formed, such as a constant.</summary>
    /// <exception cref="FormatException">Not an IPv4 address.</exception>
    public static Ipv4Address Parse(string text) =>
        TryParse(text, out var address) ? address : throw new FormatException($"'{text}' is not an IPv4 address.");

    /// <summary>The framework's form, for sockets. IPv4-mapped IPv6 is unwrapped; anything else in IPv6 is 0.0.0.0.</summary>
    public static Ipv4Address From(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        Span<byte> octets = stackalloc byte[16];
        return address.TryWriteBytes(octets, out var written) && written == 4 ? new Ipv4Address(octets) : default;
    }

    /// <summary>The framework's form, for sockets.</summary>
    public IPAddress ToIPAddress()
    {
        Span<byte> octets = stackalloc byte[4];
        CopyTo(octets);
        return new IPAddress(octets);
    }

    /// <inheritdoc/>
    public int CompareTo(Ipv4Address other) => Bits.CompareTo(other.Bits);

    /// <summary>Dotted decimal.</summary>
    public override string ToString() => $"{Bits >> 24}.{Bits >> 16 & 255}.{Bits >> 8 & 255}.{Bits & 255}";

    /// <summary>Orders by number.</summary>
    public static bool operator <(Ipv4Address left, Ipv4Address right) => left.Bits < right.Bits;

    /// <summary>Orders by number.</summary>
    public static bool operator >(Ipv4Address left, Ipv4Address right) => left.Bits > right.Bits;

    /// <summary>Orders by number.</summary>
    public static bool operator <=(Ipv4Address left, Ipv4Address right) => left.Bits <= right.Bits;

    /// <summary>Orders by number.</summary>
    public static bool operator >=(Ipv4Address left, Ipv4Address right) => left.Bits >= right.Bits;
}

/// <summary>An IPv4 subnet in CIDR notation (RFC 4632): address bits outside the prefix are zero.</summary>
public readonly record struct Ipv4Cidr
{
    /// <summary>Makes a subnet.</summary>
    /// <param name="network">The network address; bits outside the prefix are cleared.</param>
    /// <param name="prefixLength">0 to 32.</param>
    public Ipv4Cidr(Ipv4Address network, int prefixLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(prefixLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(prefixLength, 32);
        PrefixLength = prefixLength;
        Network = new Ipv4Address(network.Bits & MaskBits(prefixLength));
    }

    /// <summary>The network address.</summary>
    public Ipv4Address Network { get; }

    /// <summary>Bits in the prefix, 0 to 32.</summary>
    public int PrefixLength { get; }

    /// <summary>The subnet mask (DHCP option 1).</summary>
    public Ipv4Address Mask => new(MaskBits(PrefixLength));

    /// <summary>The subnet's broadcast address (DHCP option 28).</summary>
    public Ipv4Address BroadcastAddress => new(Network.Bits | ~MaskBits(PrefixLength));

    /// <summary>Whether the address lies in the subnet.</summary>
    public bool Contains(Ipv4Address address) => (address.Bits & MaskBits(PrefixLength)) == Network.Bits;

    /// <summary>Whether a host may have the address: inside, and neither the network nor the broadcast address (RFC 3021 excepted: /31 and /32).</summary>
    public bool IsHostAddress(Ipv4Address address) =>
        Contains(address) && (PrefixLength >= 31 || address != Network && address != BroadcastAddress);

    /// <summary>Reads <c>10.77.0.0/24</c>. The address must be the network's own: 10.77.0.1/24 is refused.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Ipv4Cidr cidr)
    {
        cidr = default;
        var slash = text.IndexOf('/');
        if (slash < 0 || !Ipv4Address.TryParse(text[..slash], out var network)
            || !int.TryParse(text[(slash + 1)..], System.Globalization.NumberStyles.None, null, out var length) || length > 32)
            return false;
        cidr = new Ipv4Cidr(network, length);
        return cidr.Network == network;
    }

    /// <summary>Reads a subnet that is known to be well formed, such as a constant.</summary>
    /// <exception cref="FormatException">Not a subnet in CIDR notation.</exception>
    public static Ipv4Cidr Parse(string text) =>
        TryParse(text, out var cidr) ? cidr : throw new FormatException($"'{text}' is not an IPv4 subnet.");

    /// <summary>CIDR notation.</summary>
    public override string ToString() => $"{Network}/{PrefixLength}";

    private static uint MaskBits(int length) => length == 0 ? 0 : uint.MaxValue << (32 - length);
}
