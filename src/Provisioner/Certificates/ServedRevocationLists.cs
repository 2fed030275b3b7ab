using System.Collections.Immutable;

namespace Provisioner.Certificates;

/// <summary>One revocation list as it is served.</summary>
/// <param name="Der">As it is signed.</param>
/// <param name="Pem">As IAM Roles Anywhere takes it.</param>
internal sealed record ServedRevocationList(
    string Authority, long Number, int Entries, DateTimeOffset ThisUpdate, DateTimeOffset NextUpdate, ReadOnlyMemory<byte> Der, string Pem);

/// <summary>The revocation lists as anybody may have them. Reading never waits.</summary>
internal sealed class ServedRevocationLists
{
    private ImmutableDictionary<string, ServedRevocationList> lists = ImmutableDictionary<string, ServedRevocationList>.Empty;

    public ServedRevocationList? Of(string authorityId) => Volatile.Read(ref lists).GetValueOrDefault(authorityId);

    internal void Put(ServedRevocationList list) => ImmutableInterlocked.AddOrUpdate(ref lists, list.Authority, list, (_, _) => list);

    internal void Remove(string authorityId) => ImmutableInterlocked.TryRemove(ref lists, authorityId, out _);
}
