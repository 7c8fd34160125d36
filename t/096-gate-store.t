#!/usr/bin/perl
# The access gate when its store changes under it: restored from a backup, a tenant that is created again with the same name, a
# map that another process has grown. It decides by the data that is there.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(move);
use Test::More;
use Scim;

my $conf = <<'EOS';
    location /scim/v2/ { scim main; }
    location = /pid { return 200 $pid; }
    location = /application { return 200 "user=$http_x_user groups=$http_x_groups"; }
    location /deny { scim_require group=Admins; proxy_pass http://127.0.0.1:%%PORT%%/application; }
    location /allow { scim_require group=Admins; scim_on_error allow; proxy_pass http://127.0.0.1:%%PORT%%/application; }
EOS
my $gate = <<'EOC';
    scim_subject $http_x_remote_user tenant=acme trusted;
    scim_header X-User $scim_user_name;
    scim_header X-Groups $scim_user_groups;
    keepalive_requests 1000000;
EOC
my $t = Scim->new(workers => 2, http => "scim_store main %%DIR%%/store size=4m; $gate", server => $conf,
    expect_log => [qr/its data.mdb was (?:removed|replaced)/, qr/locations answer 503/, qr/access denied/]);
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);

my %id;
sub create {
    my ($server, $type, $name, %more) = @_;
    my $body = $type eq 'Users' ? Scim::user($name, active => JSON::PP::true, %more)
        : { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName => $name, members => [map +{ value => $_ }, @{ $more{members} }] };
    my $r = $server->request(POST => "/scim/v2/$type?attributes=id", token => $token, json => $body);
    return $r->{status} == 201 ? $id{$name} = $r->{json}{id} : diag "$r->{status} $r->{body}";
}
# On a new connection, which any worker may accept, or on one to a worker
sub answer {
    my ($path, $user, $client) = @_;
    my $r = ($client // $t->client)->request(GET => $path, headers => { 'X-Remote-User' => $user, 'X-User' => 'root' });
    return $r->{status} == 200 ? $r->{body} : $r->{status};
}
sub answers { my ($user, $client) = @_; return join ', ', map answer($_, $user, $client), qw(/deny /allow) }
# A connection to each of the two workers. A worker looks once a second whether its store was replaced.
my %worker;
sub workers {
    $t->wait_for(sub {
        my $client = $t->client;
        $worker{ $client->request(GET => '/pid')->{body} } //= $client;
        return keys %worker == 2;
    }) or BAIL_OUT 'no connection to each of 2 workers';
    return values %worker;
}
# True if the expected answer comes from every worker, and then 20 times in a row
sub is_answered {
    my ($user, $expected, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got;
    my @workers = workers();
    ok $t->wait_for(sub { !grep { ($got = answers($user, $_)) ne $expected } @workers }), $name or diag $got;
    my %count;
    $count{ answers($user) }++ for 1 .. 20;
    is_deeply \%count, { $expected => 20 }, "$name, and stays so";
    return;
}

create($t, Users => $_) for qw(ada bob);
create($t, Groups => 'Admins', members => [$id{ada}]);
my ($ada, $refused) = (join(', ', ('user=ada groups=Admins') x 2), '403, 403');
is answers('ada'), $ada, 'a member passes';
is answers('bob'), $refused, 'another user does not';

# --- a backup is restored

my $admins = $id{Admins};
my $backup = "$t->{dir}/backup";
mkdir $backup or die;
is +($t->run('', qw(mdb_copy -c), $t->{store}, $backup))[0], 0, 'a backup is made';
$t->request(DELETE => "/scim/v2/Groups/$id{Admins}", token => $token);
create($t, Groups => 'Admins', members => [$id{bob}]);
create($t, Users => 'eve');
is answers('ada'), $refused, 'after the backup, ada is removed';
is answers('bob'), join(', ', ('user=bob groups=Admins') x 2), 'after the backup, bob is added';
chmod 0600, "$backup/data.mdb";
chown +(stat "$t->{store}/data.mdb")[4, 5], "$backup/data.mdb";
unlink "$t->{store}/lock.mdb";
move("$backup/data.mdb", "$t->{store}/data.mdb") or die "move: $!";
is_answered('ada', $ada, 'a restored store: the member of then passes');
is answers('bob'), $refused, 'a restored store: a member of later does not pass';
is answers('eve'), $refused, 'a restored store: a user of later is unknown';
# As many commits as there were: transaction numbers occur again with other data.
is $t->request(DELETE => "/scim/v2/Groups/$admins", token => $token)->{status}, 204, 'a restored store is written';
is answers('ada'), $refused, 'a restored store: a write counts for the next request';

# --- a disabled tenant, and one of the same name

$t->request(POST => '/scim/v2/Groups', token => $token, json =>
    { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName => 'Admins', members => [{ value => $id{ada} }] });
is answers('ada'), $ada, 'a member of a new group passes';
is +($t->scimctl(qw(tenant disable acme)))[0], 0, 'the tenant is disabled';
is answers('ada'), $refused, 'its users do not pass';
is +($t->scimctl(qw(tenant enable acme)))[0], 0, 'the tenant is enabled again';
is answers('ada'), $ada, 'and they pass again';
is +($t->scimctl(qw(tenant remove acme --yes)))[0], 0, 'the tenant is deleted';
is answers('ada'), $refused, 'its users do not pass any more';
$token = $t->token($t->tenant('acme'));
is answers('ada'), $refused, 'nor in a new tenant of the same name';
create($t, Users => 'ada');
is answers('ada'), $refused, 'a user of the same name there is in no group of the old one';
create($t, Groups => 'Admins', members => [$id{ada}]);
is answers('ada'), $ada, 'and passes as a member of a new one';
is answers('bob'), $refused, 'other users of the old tenant are unknown';

# --- another process grows the map

my $other = Scim->new(http => "scim_store main $t->{store} size=64m; $gate", server => $conf, expect_log => [qr/./])->start
    ->served('/scim/v2/Users', token => $token);
create($t, Users => 'zoe', active => JSON::PP::false);
my %large = map { $_ => 'x' x 60_000 } qw(displayName title nickName userType preferredLanguage);
create($t, Users => "old$_", %large) for 1 .. 6;
my $stop = "$t->{dir}/stop";
my $load = $t->launch(3, 3, sub {
    my ($i, $client) = @_;
    my %count;
    # long reads on threads, which hold the old map
    if ($i == 0) { $client->request(GET => '/scim/v2/Users?filter=title%20co%20%22x%22&count=0', token => $token) until -e $stop }
    until (-e $stop) {
        for my $path ('/deny', '/allow') {
            for my $user ('ada', 'zoe') {
                my $r = $client->request(GET => $path, headers => { 'X-Remote-User' => $user });
                $count{"$path $user: " . ($r->{status} == 200 ? $r->{body} : $r->{status})}++;
            }
        }
    }
    return \%count;
});
my $size = -s "$t->{store}/data.mdb";
create($other, Users => "big$_", %large) for 1 .. 14;
cmp_ok -s "$t->{store}/data.mdb", '>', 5 << 20, "the file has grown beyond 4m, from $size bytes";
$t->write_file('stop', '');
my %count;
for my $part ($t->collect($load)) { $count{$_} += $part->{$_} for keys %$part }
my @expected = map { ("$_ ada: user=ada groups=Admins", "$_ zoe: 403") } '/allow', '/deny';
is_deeply [sort keys %count], \@expected, 'while the map grows, every request is decided' or diag join ' ', %count;
create($other, Users => 'new');
$other->request(PATCH => "/scim/v2/Groups/$id{Admins}", token => $token, json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [{ op => 'add', path => 'members', value => [{ value => $id{new} }] }] });
is answers('new'), join(', ', ('user=new groups=Admins') x 2), 'a user in the new part of the map passes at the next request';
$other->quit;
$t->finish;
