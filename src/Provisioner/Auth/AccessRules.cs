using Microsoft.AspNetCore.Authorization;

namespace Provisioner.Auth;

/// <summary>Who may use an endpoint of the secure plane.</summary>
/// <param name="Method">Of HTTP; <c>*</c> for any.</param>
/// <param name="Pattern">As the endpoint is mapped; with <c>/**</c> at its end, all below.</param>
/// <param name="Role">Null: no sign-in is asked for; the endpoint sees for itself whom it answers.</param>
internal sealed record AccessRule(string Method, string Pattern, Role? Role);

/// <summary>
/// The one table of who may use what. An endpoint that is in no row is refused to everybody, so that a new one is decided about before it is reachable.
/// </summary>
internal static class AccessRules
{
    /// <summary>The policy of what has no rule: nobody passes it.</summary>
    private const string Undecided = "undecided";

    private const Role V = Role.Viewer, O = Role.Operator, A = Role.Admin;

    public static IReadOnlyList<AccessRule> All { get; } =
    [
        // Hosts: each request proves itself, by a one-time token or the host's certificate.
        Open("*", "/.well-known/est/**"),
        Open("*", "/api/v1/self/**"),
        Open("GET", "/healthz"), Open("GET", "/readyz"),
        new("*", "/metrics", V),

        // What the API is like is no secret: it is in our source.
        Open("GET", "/openapi/{documentName}.json"), Open("GET", "/scalar/**"),

        // The console: its pages, and the connection they are kept alive by.
        Open("*", "/sign-in"), Open("GET", "/sign-in/oidc"), Open("*", "/sign-out"), Open("*", "/setup"), Open("*", "/not-found"),
        new("*", "/", V), new("*", "/wall", V), new("*", "/adopt", V), new("*", "/register", V), new("*", "/import", V), new("*", "/onboard", V), new("*", "/hosts/{Name}", V),
        new("*", "/resources/{Plural}", V), new("*", "/resources/{Plural}/{Name}", V), new("*", "/images/import", V),
        new("*", "/certificates", V), new("*", "/audit", V), new("*", "/appliance", V), new("*", "/people", A),
        new("*", "/_blazor/**", V), new("*", "/_framework/**", V),

        // How one becomes somebody.
        Open("POST", "/api/v1/setup"),
        Open("POST", "/api/v1/session"),
        Open("GET", "/api/v1/session"),
        new("DELETE", "/api/v1/session", V),
        new("POST", "/api/v1/session/password", V),

        // People and programs.
        new("GET", "/api/v1/users", A),
        new("GET", "/api/v1/users/{name}", A),
        new("POST", "/api/v1/users", A),
        new("POST", "/api/v1/users/{name}/role", A),
        new("POST", "/api/v1/users/{name}/password", A),
        new("DELETE", "/api/v1/users/{name}", A),
        new("GET", "/api/v1/sessions", A),
        new("DELETE", "/api/v1/sessions/{id}", A),
        new("GET", "/api/v1/tokens", A),
        new("GET", "/api/v1/tokens/{name}", A),
        new("POST", "/api/v1/tokens", A),
        new("DELETE", "/api/v1/tokens/{name}", A),

        // Auditors look, and change nothing.
        new("GET", "/api/v1/audit", V), new("GET", "/api/v1/audit/export", V), new("GET", "/api/v1/audit/verify", V),

        // What NetBox has, for those who register.
        new("GET", "/api/v1/netbox/devices", O),

        // Resources. Which kinds an operator may apply is said by RoleToChange below.
        new("POST", "/api/v1/apply", O),
        new("GET", "/api/v1/hosts", V), new("GET", "/api/v1/hosts/{name}", V), new("PUT", "/api/v1/hosts/{name}", O), new("DELETE", "/api/v1/hosts/{name}", O),
        new("GET", "/api/v1/profiles", V), new("GET", "/api/v1/profiles/{name}", V), new("PUT", "/api/v1/profiles/{name}", A), new("DELETE", "/api/v1/profiles/{name}", A),
        new("GET", "/api/v1/images", V), new("GET", "/api/v1/images/{name}", V), new("PUT", "/api/v1/images/{name}", A), new("DELETE", "/api/v1/images/{name}", A),
        new("GET", "/api/v1/networks", V), new("GET", "/api/v1/networks/{name}", V), new("PUT", "/api/v1/networks/{name}", A), new("DELETE", "/api/v1/networks/{name}", A),
        new("GET", "/api/v1/clusters", V), new("GET", "/api/v1/clusters/{name}", V), new("PUT", "/api/v1/clusters/{name}", A), new("DELETE", "/api/v1/clusters/{name}", A),

        // Hosts, as people work with them.
        new("POST", "/api/v1/hosts/{name}/provision", O),
        new("POST", "/api/v1/hosts/{name}/cancel", O),
        new("POST", "/api/v1/hosts/{name}/retire", O),
        new("POST", "/api/v1/hosts/{name}/token", O),
        new("POST", "/api/v1/hosts/{name}/aws/test", O),
        new("POST", "/api/v1/hosts/{name}/disk-passphrase", A),
        new("GET", "/api/v1/hosts/{name}/log", V),
        new("GET", "/api/v1/hosts/{name}/events", V),
        new("GET", "/api/v1/hosts/{name}/render/{what}", V),
        new("POST", "/api/v1/discovered/{mac}/adopt", O), new("POST", "/api/v1/discovered/{mac}/ignore", O),

        // Records.
        new("GET", "/api/v1/discovered", V), new("GET", "/api/v1/discovered/{mac}", V), new("GET", "/api/v1/discovered/{mac}/events", V),
        new("GET", "/api/v1/installations", V), new("GET", "/api/v1/installations/{host}", V),
        new("GET", "/api/v1/findings", V), new("GET", "/api/v1/findings/{host}", V),
        new("GET", "/api/v1/leases", V), new("GET", "/api/v1/leases/{address}", V),
        new("GET", "/api/v1/nodes", V), new("GET", "/api/v1/nodes/{name}", V), new("GET", "/api/v1/idle", V),
        new("GET", "/api/v1/states", V),
        new("GET", "/api/v1/events", V),
        new("GET", "/api/v1/explain/{mac}", V),
        new("GET", "/api/v1/status", V),
        new("GET", "/api/v1/alerts", V), new("GET", "/api/v1/alerts/{id}", V), new("POST", "/api/v1/alerts/{id}/dismiss", O),

        // Certificates and the authority.
        new("GET", "/api/v1/authorities", V), new("GET", "/api/v1/authorities/{id}", V), new("GET", "/api/v1/ca", V),
        new("GET", "/api/v1/certificates", V), new("GET", "/api/v1/certificates/{which}", V),
        new("POST", "/api/v1/certificates/{which}/revoke", A),
        new("POST", "/api/v1/ca/rotate", A), new("POST", "/api/v1/ca/request", A), new("POST", "/api/v1/ca/import", A),
        new("POST", "/api/v1/ca/crl", O),

        // Images, artifacts, AWS, upgrades.
        new("POST", "/api/v1/images/{name}/import", A),
        new("POST", "/api/v1/images/verify", O), new("POST", "/api/v1/images/{name}/verify", O),
        new("GET", "/api/v1/artifacts", V),
        new("POST", "/api/v1/artifacts/warm", O), new("POST", "/api/v1/artifacts/verify", O), new("POST", "/api/v1/artifacts/evict", A),
        new("GET", "/api/v1/clusters/{name}/aws/plan", V),
        new("GET", "/api/v1/clusters/{name}/aws/check", O),
        new("POST", "/api/v1/clusters/{name}/aws/apply", A),
        new("GET", "/api/v1/upgrades", V), new("GET", "/api/v1/upgrades/{id}", V),
        new("POST", "/api/v1/upgrades", O),
        new("POST", "/api/v1/upgrades/{id}/pause", O), new("POST", "/api/v1/upgrades/{id}/resume", O), new("POST", "/api/v1/upgrades/{id}/cancel", O),

        // The appliance itself. A backup holds every secret there is, a support bundle none, but names every host.
        new("POST", "/api/v1/machine/reboot", A), new("POST", "/api/v1/machine/power-off", A),
        new("POST", "/api/v1/backup", A), new("GET", "/api/v1/backup/{id}", A),
        new("GET", "/api/v1/backups", O), new("POST", "/api/v1/backups", A),
        new("GET", "/api/v1/doctor", V),
        new("GET", "/api/v1/support", A),
        new("GET", "/api/v1/webhooks", O), new("POST", "/api/v1/webhooks/{name}/try", A),
    ];

    /// <summary>Who may create, change and delete resources of that kind: operators register hosts, admins decide how they are built.</summary>
    public static Role RoleToChange(string kind) => kind == "Host" ? Role.Operator : Role.Admin;

    /// <summary>The rule of an endpoint; null when nobody has decided.</summary>
    public static AccessRule? Find(string method, string pattern) =>
        All.FirstOrDefault(rule => (rule.Method == "*" || rule.Method == method) && (rule.Pattern.EndsWith("/**", StringComparison.Ordinal)
            ? pattern.StartsWith(rule.Pattern[..^2], StringComparison.Ordinal) || pattern == rule.Pattern[..^3]
            : rule.Pattern == pattern));

    /// <summary>Gives each endpoint of the group the policy of its rule.</summary>
    public static void Enforce(IEndpointConventionBuilder endpoints) => endpoints.Finally(builder =>
    {
        var pattern = (builder as RouteEndpointBuilder)?.RoutePattern.RawText ?? "";
        var methods = builder.Metadata.OfType<HttpMethodMetadata>().LastOrDefault()?.HttpMethods ?? ["*"];
        var rules = methods.Select(method => Find(method, pattern)).ToList();
        // Several methods on one endpoint: the strictest.
        if (rules.Count == 0 || rules.Contains(null))
            builder.Metadata.Add(new AuthorizeAttribute(Undecided));
        else if (rules.TrueForAll(rule => rule!.Role is null))
            builder.Metadata.Add(new AllowAnonymousAttribute());
        else
            builder.Metadata.Add(new AuthorizeAttribute(Roles.Word(rules.Max(rule => rule!.Role)!.Value)));
    });

    public static void AddPolicies(AuthorizationOptions options)
    {
        foreach (var role in Enum.GetValues<Role>())
            options.AddPolicy(Roles.Word(role), policy => policy.RequireRole(Roles.Word(role)));
        options.AddPolicy(Undecided, policy => policy.RequireAssertion(_ => false));
        options.DefaultPolicy = options.GetPolicy(Roles.Viewer)!;
        // For what was mapped past the table. What routing itself answers, such as that there is nothing here, is for everybody.
        options.FallbackPolicy = new AuthorizationPolicyBuilder().RequireAssertion(asked => asked.Resource is HttpContext context && context.GetEndpoint() is not RouteEndpoint).Build();
    }

    private static AccessRule Open(string method, string pattern) => new(method, pattern, null);
}
