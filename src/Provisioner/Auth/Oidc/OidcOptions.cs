using System.Collections.Immutable;
using Provisioner.Resources;

namespace Provisioner.Auth.Oidc;

/// <summary>The configuration key <c>access.oidc</c>: an identity provider that vouches for people (OpenID Connect Core 1.0).</summary>
public sealed record OidcOptions
{
    /// <summary>Where its metadata is: this and <c>/.well-known/openid-configuration</c> (OpenID Connect Discovery 1.0 §4).</summary>
    public required string Issuer { get; init; }

    public required string ClientId { get; init; }

    /// <summary>A file with the client's secret; a public client has none, and PKCE alone.</summary>
    public string? ClientSecretFile { get; init; }

    /// <summary>PEM of the authorities that sign the provider's own certificate; this machine's when not said.</summary>
    public string? CaFile { get; init; }

    /// <summary>Asked for besides <c>openid</c>.</summary>
    public ImmutableArray<string> Scopes { get; init; } = ["profile"];

    /// <summary>The claim that names a person here.</summary>
    public string NameClaim { get; init; } = "preferred_username";

    /// <summary>The claim that lists a person's groups.</summary>
    public string GroupsClaim { get; init; } = "groups";

    /// <summary>What members of a group may do; of several, the most counts. Whoever is in none of them is not let in.</summary>
    public ImmutableArray<GroupRole> Roles { get; init; } = [];

    /// <summary>The role of somebody in those groups; null for one who is in none that has any.</summary>
    public Role? RoleOf(IEnumerable<string> groups)
    {
        Role? most = null;
        foreach (var group in groups)
        {
            foreach (var known in Roles)
            {
                if (known.Group == group && (most is null || known.Role > most))
                    most = known.Role;
            }
        }
        return most;
    }
}

/// <summary>What members of a group at the identity provider may do.</summary>
public sealed record GroupRole(string Group, Role Role);

/// <summary>The keys of <c>access.oidc</c>.</summary>
internal static class OidcFields
{
    public static Shape<OidcOptions> Oidc { get; } = Declare();

    private static Shape<OidcOptions> Declare()
    {
        var issuer = Values.OfText("an issuer", "an https URL such as https://login.example.com/realms/site", text =>
            Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme == Uri.UriSchemeHttps && url is { Query: "", Fragment: "", UserInfo: "" } ? null : "is no https URL without user, query and fragment");
        var path = Values.OfText("a path", "an absolute path", text => Path.IsPathFullyQualified(text) ? null : "is not an absolute path");
        var word = Values.OfText("a word", "1 to 200 characters without spaces", text => text.Length is > 0 and <= 200 && !text.Any(char.IsWhiteSpace) ? null : "is no word");
        var shape = new Shape<OidcOptions>("oidc", () => new OidcOptions { Issuer = "", ClientId = "" });
        shape.Required("issuer", issuer, o => o.Issuer, (o, v) => o with { Issuer = v }, "The identity provider.");
        shape.Required("clientId", word, o => o.ClientId, (o, v) => o with { ClientId = v }, "What this appliance is called there.");
        shape.Optional("clientSecretFile", path, o => o.ClientSecretFile, (o, v) => o with { ClientSecretFile = v }, "A file with the secret it was given there; none for a public client.");
        shape.Optional("caFile", path, o => o.CaFile, (o, v) => o with { CaFile = v }, "PEM of the authorities that sign the provider's certificate; this machine's when not said.");
        shape.Default("scopes", new ListKind<string>(word), o => o.Scopes, (o, v) => o with { Scopes = v }, "What is asked for besides openid.");
        shape.Default("nameClaim", word, o => o.NameClaim, (o, v) => o with { NameClaim = v }, "The claim that names a person.");
        shape.Default("groupsClaim", word, o => o.GroupsClaim, (o, v) => o with { GroupsClaim = v }, "The claim that lists a person's groups.");
        shape.Required("roles", new ListKind<GroupRole>(Group(), minimum: 1), o => o.Roles, (o, v) => o with { Roles = v }, "Which groups may what; whoever is in none of them is not let in.");
        return shape;
    }

    private static Shape<GroupRole> Group()
    {
        var text = Values.OfText("a group", "1 to 200 characters", text => text.Length is > 0 and <= 200 && Texts.Printable(text) is null ? null : "is no name of a group");
        var shape = new Shape<GroupRole>("a group's role", () => new GroupRole("", Role.Viewer));
        shape.Required("group", text, g => g.Group, (g, v) => g with { Group = v }, "As the claim says it.");
        shape.Required("role", Auth.Roles.Kind, g => g.Role, (g, v) => g with { Role = v }, "What its members may do.");
        return shape;
    }
}
