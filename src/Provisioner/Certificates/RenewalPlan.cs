using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Provisioner.Storage;

namespace Provisioner.Certificates;

/// <summary>When a certificate is to be renewed, and why then.</summary>
public sealed record RenewalPlan(DateTimeOffset RenewAfter, string Reason)
{
    /// <summary>
    /// At two thirds of its life; earlier when its authority is being left, at a moment of the move that is the host's own, so that
    /// thousands of hosts do not ask at once.
    /// </summary>
    public static RenewalPlan For(Certificate certificate, Snapshot snapshot)
    {
        var usual = certificate.NotBefore + (certificate.NotAfter - certificate.NotBefore) * 2 / 3;
        if (snapshot.Authorities.GetValueOrDefault(certificate.Authority) is { State: AuthorityState.Previous, Move: { PausedAt: null } move })
        {
            var moment = move.From + (move.Until - move.From) * Share(certificate.Host);
            if (moment < usual)
                return new(moment, "its authority is being replaced by another");
        }
        return new(usual, "two thirds of its life");
    }

    public bool IsDueAt(DateTimeOffset now) => now >= RenewAfter;

    // The same for a host each time it asks: from 0 to 1, by its name.
    private static double Share(string host)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(host), hash);
        return BinaryPrimitives.ReadUInt32BigEndian(hash) / (double)uint.MaxValue;
    }
}
