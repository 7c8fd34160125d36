#!/usr/bin/perl
# An answer has the media type application/scim+json, or application/json where the Accept header prefers it (RFC 7644 3.8).

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my ($user, $group) = ($Scim::Check::user_urn, 'urn:ietf:params:scim:schemas:core:2.0:Group');
my ($scim, $json) = qw(application/scim+json application/json);
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => <<'EOS');
    location /scim/v2/ { scim main; }
    location /denied/ { scim main; deny all; }
EOS
my $c = $t->client(token => $t->seed('acme'));
$t->start;
my $base = '/scim/v2/Users';

sub type_of { my ($method, $path, $accept, %o) = @_;
    return $c->request($method => $path, %o, headers => [map { (Accept => $_) } ref $accept ? @$accept : $accept])->{headers}{'content-type'} }

my $r = $c->request(POST => $base, json => { schemas => [$user], userName => 'ada' }, headers => { Accept => $json });
is "$r->{status} $r->{headers}{'content-type'}", "201 $json",
    'POST with Accept: application/json is answered with application/json';
my $path = "$base/$r->{json}{id}";
is type_of(@$_[0, 1], $json), $json, "$_->[0] $_->[1] with Accept: application/json is answered with application/json" for
    [GET => $path], [HEAD => $path], [GET => $base], [GET => "$base?count=1000"], [GET => '/scim/v2/Schemas'],
    [GET => "$base/none"], [GET => "$base?filter=x"], [PUT => $path], [GET => '/scim/v2/nothing'], [GET => '/denied/Users'];
is $c->request(GET => $base, token => undef, headers => { Accept => $json })->{headers}{'content-type'}, $json,
    'a 401 to Accept: application/json has the type application/json';

is type_of(GET => $path, $_), $scim, "[S-48] GET with Accept: '$_' is answered with application/scim+json"
    for $scim, '*/*', 'application/*', "$scim, $json", "$json, $scim",
    "$json, text/plain, */*", "$json;q=0.5, $scim;q=0.9", "$json;q=0, */*", 'text/html', '', 'nonsense,,;q', "$json;q=2",
    "$json;q=x", "$json;q=0.0001", "$json;q=0", 'application/jsonx', 'APPLICATION/SCIM+JSON';
is type_of(GET => $path, $_), $json, "[S-48] GET with Accept: '$_' is answered with application/json"
    for $json, 'Application/JSON', "$json;charset=utf-8", "$json, text/html",
    "$scim;q=0.5, $json;q=0.9", "$scim;q=0, $json;q=0.001", "*/*;q=0.1, $json", "$json, application/*;q=0.9", " \t$json ; q=1.0\t, x/y",
    "$json, $scim;q=0";
is type_of(GET => $path, []), $scim, 'GET without Accept is answered with application/scim+json';

# --- 204

my $g = $c->request(POST => '/scim/v2/Groups', json => { schemas => [$group], displayName => 'g' })->{json}{id};
my $n = 0;
sub patch { return $c->request(PATCH => "/scim/v2/Groups/$g", headers => { Accept => $_[0] }, json => {
    schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [{ op => 'replace', path => 'displayName', value => 'g' . $n++ }] }) }
for my $accept ($scim, $json) {
    $r = patch($accept);
    is "$r->{status} $r->{headers}{'content-type'} '$r->{body}'", "204 $accept ''",
        "the 204 to PATCH with Accept: $accept has that Content-Type";
}
$r = $c->request(DELETE => $path);
is "$r->{status} " . ($r->{headers}{'content-type'} // 'none'), '204 none', 'the 204 to DELETE has no Content-Type';

$t->finish;
