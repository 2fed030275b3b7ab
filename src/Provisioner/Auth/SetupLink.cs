using System.Security.Cryptography;
using Provisioner.Certificates;
using Provisioner.Certificates.Est;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Auth;

/// <summary>
/// The link that makes the first admin, once. It is good as long as there is none and this process runs; asking for another ends it.
/// What is secret in it comes after the <c>#</c>, which a browser keeps to itself: no log, proxy or history of requests has it.
/// </summary>
internal sealed class SetupLink(CurrentState state, ServerIdentity identity, SecureServer server)
{
    private string? hash;

    /// <summary>A new link; null when there is an admin, or no certificate to show it under.</summary>
    public string? Create()
    {
        if (PeopleChanges.HasAdmin(state.Snapshot) || identity.Names is not [var name, ..])
            return null;
        var secret = OpaqueToken.Create().Secret;
        Volatile.Write(ref hash, OpaqueToken.Hash(secret));
        return $"https://{name}:{server.Port}/setup#{secret}";
    }

    /// <summary>Whether this is the secret of the present link.</summary>
    public bool Matches(string secret) => Volatile.Read(ref hash) is { } present
        && CryptographicOperations.FixedTimeEquals(Convert.FromHexString(OpaqueToken.Hash(secret)), Convert.FromHexString(present));

    /// <summary>It was used.</summary>
    public void Spend() => Volatile.Write(ref hash, null);

    /// <summary>Why there is no link, as a refusal.</summary>
    public ChangeRefusedException WhyNot() => PeopleChanges.HasAdmin(state.Snapshot)
        ? new(RefusalKind.Conflict, "The appliance is set up: it has an admin. A forgotten password is set anew with 'provisioner user password NAME' on the appliance.")
        : new(RefusalKind.Conflict, "There is no certificate for the secure plane yet: the authority waits for the clock to be synchronised.");
}
